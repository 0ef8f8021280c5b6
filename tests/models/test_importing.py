from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import models
from models.checkpoint import (
    Checkpoint,
    CheckpointError,
    Preprocessing,
    Source,
    load_network,
    read_manifest,
    sha256_of,
)
from models.golden import golden_image
from models.importing import Converted, convert, new_checkpoint, store
from models.manifest import write_entry
from models.predictors.reid import PersonEmbedder
from tests.models.pickles import disguise, save

RGA = {"input_size": (32, 16), "width": 8}
HOURGLASS = {"num_stacks": 2, "num_blocks": 1, "num_keypoints": 3, "channels": 16}


def official_file(folder: Path, network: str, **arguments: object) -> tuple[Path, dict[str, Tensor]]:
    """A file as a training script with DataParallel would write it, and what is in it."""
    torch.manual_seed(0)
    state = models.create(network, **arguments).state_dict()
    path = folder / "model_best.pth.tar"
    torch.save({"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}, "epoch": 3}, path)
    return path, state


def imported(folder: Path, weights_dir: Path, name: str = "mine") -> tuple[Checkpoint, dict[str, Tensor]]:
    path, state = official_file(folder, "rga_sc_resnet18", num_classes=5, **RGA)
    converted = convert(path, "rga_sc_resnet18")
    return store(converted, new_checkpoint(converted, name), weights_dir), state


def test_an_imported_file_is_a_checkpoint_that_loads(tmp_path: Path) -> None:
    weights = tmp_path / "weights"

    checkpoint, state = imported(tmp_path, weights)

    assert read_manifest(weights) == {"mine": checkpoint}
    network = load_network(checkpoint, weights)
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())
    assert checkpoint.source == Source("model_best.pth.tar", sha256_of(tmp_path / "model_best.pth.tar"))
    assert checkpoint.sha256 == sha256_of(weights / "mine.safetensors")
    assert (checkpoint.licence, checkpoint.commercial_use, checkpoint.measured) == ("unknown", False, {})


def test_the_golden_sample_of_a_reid_checkpoint_is_what_it_computes(tmp_path: Path) -> None:
    checkpoint, _ = imported(tmp_path, tmp_path)

    embedder = PersonEmbedder(load_network(checkpoint, tmp_path), checkpoint.preprocessing.size)
    with torch.inference_mode():
        row = embedder.forward(embedder.prepare(golden_image((32, 16)))[None])[0]
    assert float(embedder.finish(row) @ np.load(tmp_path / "golden" / "mine.npy")) > 0.9999


def test_an_import_leaves_the_other_entries_as_they_are(tmp_path: Path) -> None:
    other = Checkpoint(
        "other", "pose", "glcnn", Preprocessing((64, 44), flip=True), "other.safetensors", "", "here", "CC0", True
    )
    write_entry(tmp_path, other)
    write_entry(tmp_path, replace(other, name="third", published={"data": {"mean": 0.5}}))
    before = read_manifest(tmp_path)

    checkpoint, _ = imported(tmp_path, tmp_path)
    imported(tmp_path, tmp_path)

    assert read_manifest(tmp_path) == before | {"mine": checkpoint}
    assert list(read_manifest(tmp_path)) == ["other", "third", "mine"]


def test_what_is_known_of_an_official_checkpoint_is_kept(tmp_path: Path) -> None:
    path, _ = official_file(tmp_path, "hourglass_bearpaw", **HOURGLASS)
    draft = Checkpoint(
        "official",
        "pose",
        "hourglass_bearpaw",
        Preprocessing((64, 64), flip=True),
        "official.safetensors",
        "",
        "https://example.org/file.pth",
        "MIT",
        True,
        trained_on=("MPII",),
        published={"MPII val": {"mean": 0.87}},
        source=Source("file.pth", sha256_of(path)[:8], "https://example.org"),
    )

    checkpoint = store(convert(path, draft.network, known=sha256_of(path)[:8]), draft, tmp_path)

    assert checkpoint == replace(
        draft,
        sha256=sha256_of(tmp_path / "official.safetensors"),
        arguments=HOURGLASS,
        source=Source("model_best.pth.tar", sha256_of(path), "https://example.org"),
    )


def test_another_file_than_the_known_one_is_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "file.pth").write_bytes(b"anything")

    with pytest.raises(CheckpointError, match="not 0123abcd"):
        convert(tmp_path / "file.pth", "glcnn", known="0123abcd")


def test_the_notes_tell_all_that_was_done(tmp_path: Path) -> None:
    path, _ = official_file(tmp_path, "rga_sc_resnet18", num_classes=5, **RGA)

    notes = convert(path, "rga_sc_resnet18").notes

    assert notes == (
        "took state_dict and left out epoch",
        "took the prefix module. off every name",
        "dropped training heads, which serving does not need: cls.weight",
    )


def converted(file: str = "net.pth") -> Converted:
    return Converted(file, "0" * 64, "hourglass_bearpaw", HOURGLASS, {}, ())


@pytest.mark.parametrize(
    ("file", "name"),
    [("hg.pth", "hg"), ("model_best.pth.tar", "model_best"), ("a-1.safetensors", "a-1"), ("checkpoint", "checkpoint")],
)
def test_a_checkpoint_is_called_like_its_file(file: str, name: str) -> None:
    assert new_checkpoint(converted(file)).name == name


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "with space", "-x"])
def test_names_that_would_lead_out_of_the_folder_are_refused(name: str) -> None:
    with pytest.raises(CheckpointError, match="cannot be a checkpoint's name"):
        new_checkpoint(converted(), name)


def test_a_new_checkpoint_sees_what_its_authors_network_saw() -> None:
    usual, larger = new_checkpoint(converted()), new_checkpoint(converted(), size=(384, 384))

    assert usual.preprocessing == Preprocessing((256, 256), (0.4404, 0.444, 0.4327), (1.0, 1.0, 1.0), flip=True)
    assert larger.preprocessing.size == (384, 384)


def test_a_failed_import_leaves_nothing_behind(tmp_path: Path) -> None:
    path, _ = official_file(tmp_path, "rga_sc_resnet18", **RGA)
    result = convert(path, "rga_sc_resnet18")
    weights = tmp_path / "weights"

    with pytest.raises(CheckpointError, match=r"cannot see pictures of \(64, 64\)"):
        store(result, new_checkpoint(result, "mine", size=(64, 64)), weights)

    assert list(weights.iterdir()) == []


@pytest.mark.parametrize("keep_heads", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_pickled_object_of_rrid_becomes_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep_heads: bool
) -> None:
    torch.manual_seed(0)
    network = models.create("rrid_resnet50", num_classes=3)
    expected = network.state_dict()
    path = save(disguise(network, monkeypatch), tmp_path / "pretrained_weights.pth", zipped=False)
    monkeypatch.undo()

    result = convert(path, "rrid_resnet50", keep_heads=keep_heads)
    checkpoint = store(result, new_checkpoint(result, "rrid"), tmp_path)

    loaded = load_network(checkpoint, tmp_path)
    assert checkpoint.arguments == ({"num_classes": 3} if keep_heads else {})
    assert len(loaded.state_dict()) == (723 if keep_heads else 633)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in loaded.state_dict().items())
    assert not any(isinstance(module, nn.DataParallel) for module in loaded.modules())
    assert np.load(tmp_path / "golden" / "rrid.npy").shape == (3840,)
