from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import models
from models.checkpoint import (
    Checkpoint,
    CheckpointError,
    Preprocessing,
    bundled_weights_dir,
    golden_image,
    load_network,
    read_manifest,
    verify_sha256,
)
from models.predictors.reid import PersonEmbedder

ARGUMENTS = {"input_size": (32, 16), "width": 8}


def write_checkpoint(folder: Path, state: dict[str, torch.Tensor]) -> Checkpoint:
    import hashlib

    save_file(state, folder / "tiny.safetensors")
    sha256 = hashlib.sha256((folder / "tiny.safetensors").read_bytes()).hexdigest()
    return Checkpoint(
        name="tiny",
        task="reid",
        network="rga_sc_resnet18",
        arguments=ARGUMENTS,
        preprocessing=Preprocessing((32, 16)),
        file="tiny.safetensors",
        sha256=sha256,
        origin="test",
        licence="none",
        commercial_use=False,
    )


def tiny_state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return models.create("rga_sc_resnet18", **ARGUMENTS).state_dict()


def test_a_checkpoint_that_fits_is_loaded_in_evaluation_mode(tmp_path: Path) -> None:
    state = tiny_state()

    network = load_network(write_checkpoint(tmp_path, state), tmp_path)

    assert not network.training
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("change", ["missing", "unexpected", "shape"])
def test_a_checkpoint_that_does_not_fit_exactly_is_refused(tmp_path: Path, change: str) -> None:
    state = tiny_state()
    if change == "missing":
        del state["feat_bn.weight"]
    else:
        state["surprise" if change == "unexpected" else "feat_bn.weight"] = torch.zeros(3)

    with pytest.raises(CheckpointError, match="does not fit"):
        load_network(write_checkpoint(tmp_path, state), tmp_path)


def test_an_altered_or_missing_file_is_refused(tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path, tiny_state())
    data = bytearray((tmp_path / checkpoint.file).read_bytes())
    data[-1] ^= 1
    (tmp_path / checkpoint.file).write_bytes(data)

    with pytest.raises(CheckpointError, match="has sha256"):
        load_network(checkpoint, tmp_path)
    with pytest.raises(CheckpointError, match="cannot be read"):
        verify_sha256(tmp_path / "nothing", checkpoint.sha256)


def test_a_manifest_with_a_misspelt_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.toml").write_text(
        '[[checkpoints]]\nname = "a"\nlicense = "b"\n[checkpoints.preprocessing]\nsize = [1, 1]\n'
    )

    with pytest.raises(CheckpointError, match="license"):
        read_manifest(tmp_path)


def test_every_bundled_checkpoint_fits_and_reproduces_its_golden_sample() -> None:
    folder = bundled_weights_dir()
    checkpoints = read_manifest(folder)
    assert checkpoints
    for checkpoint in checkpoints.values():
        assert checkpoint.licence
        assert checkpoint.trained_on
        assert checkpoint.command
        embedder = PersonEmbedder(
            load_network(checkpoint, folder), checkpoint.preprocessing.size, flip=checkpoint.preprocessing.flip
        )
        with torch.inference_mode():
            row = embedder.forward(embedder.prepare(golden_image(embedder.size))[None])[0]
        golden = np.load(folder / "golden" / f"{checkpoint.name}.npy")
        assert float(embedder.finish(row) @ golden) > 0.9999


def test_all_bundled_weights_together_stay_small() -> None:
    assert sum(path.stat().st_size for path in bundled_weights_dir().glob("*.safetensors")) <= 64_000_000
