import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save
from torch import nn

from models.checkpoint import CheckpointError
from models.file_kinds import SAFETENSORS, kind_of
from models.official_files import read_official_file
from models.runtimes.exporting import export_onnx
from tests.app.pictures import encode, pattern


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, b"anything")
    return file.getvalue()


def written(save_to: Callable[[io.BytesIO], object]) -> bytes:
    file = io.BytesIO()
    save_to(file)
    return file.getvalue()


def onnx() -> bytes:
    return export_onnx(nn.Conv2d(3, 2, 1).eval(), (3, 4, 4))


def script() -> bytes:
    return written(lambda file: torch.jit.save(torch.jit.trace(nn.Linear(2, 1), torch.ones(1, 2)), file))  # type: ignore[no-untyped-call]


FOREIGN: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "is empty"),
    "text": (lambda: ("Weights lie elsewhere: see größer.\n" * 20).encode(), "is a text file"),
    "page": (lambda: b"\n<!DOCTYPE html><html><title>Sign in</title>", "is a web page"),
    "pointer": (lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "pointer of Git LFS"),
    "jpeg": (lambda: encode(pattern(), "JPEG"), "is a JPEG picture"),
    "pictures": (lambda: zipped("walk/1.png", "walk/2.png"), "is a zip file of pictures"),
    "wrapped": (lambda: zipped("release/net.pth"), "is a zip file; unpack it first"),
    "other zip": (lambda: zipped("notes"), "is a zip file without weights"),
    "npz": (lambda: written(lambda file: np.savez(file, a=np.ones(2))), "is an archive of NumPy arrays"),
    "onnx": (onnx, "is an ONNX network"),
    "script": (script, "is a TorchScript program"),
}


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_a_file_of_another_kind_is_refused_as_what_it_is(name: str, ending: str, tmp_path: Path) -> None:
    make, said = FOREIGN[name]
    path = tmp_path / f"file{ending}"
    path.write_bytes(make())

    with pytest.raises(CheckpointError, match=said):
        read_official_file(path)


@pytest.mark.parametrize("contents", [{"w": torch.ones(3)}, torch.ones(3)])
@pytest.mark.parametrize("zip_format", [True, False])
def test_a_file_of_torch_is_of_no_other_kind(contents: object, zip_format: bool, tmp_path: Path) -> None:
    torch.save(contents, tmp_path / "file", _use_new_zipfile_serialization=zip_format)

    assert kind_of(tmp_path / "file") == ""


def test_safetensors_are_known_whatever_they_are_called(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(save({"w": torch.ones(3)}))

    assert kind_of(tmp_path / "model.bin") == SAFETENSORS
    assert torch.equal(read_official_file(tmp_path / "model.bin").state["w"], torch.ones(3))
