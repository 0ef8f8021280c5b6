import hashlib
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import tomli_w
import torch
from safetensors.torch import save_file

import models
from models.checkpoint import (
    MANIFEST,
    Checkpoint,
    CheckpointError,
    Preprocessing,
    Source,
    bundled_weights_dir,
    load_network,
    read_manifest,
    verify_sha256,
)
from models.families import family_of
from models.golden import agrees, read_golden, write_golden

ARGUMENTS = {"input_size": (32, 16), "width": 8}


def write_checkpoint(folder: Path, state: dict[str, torch.Tensor]) -> Checkpoint:
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


def test_a_checkpoint_that_is_not_here_says_so(tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path, tiny_state())
    (tmp_path / checkpoint.file).unlink()
    official = replace(checkpoint, origin="https://example.org/tiny.pth", source=Source("tiny.pth"))

    assert not checkpoint.is_available(tmp_path)
    with pytest.raises(CheckpointError, match=r"tiny is not here: \S+ is missing$"):
        load_network(checkpoint, tmp_path)
    with pytest.raises(CheckpointError, match="`gaitkeeper weights info tiny` says how to get it"):
        load_network(official, tmp_path)


def test_a_checkpoint_without_a_hash_is_not_loaded(tmp_path: Path) -> None:
    checkpoint = replace(write_checkpoint(tmp_path, tiny_state()), sha256="")

    with pytest.raises(CheckpointError, match="has no sha256"):
        load_network(checkpoint, tmp_path)


@pytest.mark.parametrize(
    ("origin", "source", "official"),
    [
        ("https://example.org/a.pth", Source("a.pth"), True),
        ("imported from a.pth", Source("a.pth"), False),
        ("https://example.org/a.safetensors", None, False),
    ],
)
def test_a_checkpoint_is_official_if_its_authors_publish_its_source(
    tmp_path: Path, origin: str, source: Source | None, official: bool
) -> None:
    checkpoint = replace(write_checkpoint(tmp_path, tiny_state()), origin=origin, source=source)

    assert checkpoint.is_official == official


def test_a_name_can_be_in_a_manifest_once_only(tmp_path: Path) -> None:
    entry = '[[checkpoints]]\nname = "a"\ntask = "reid"\nnetwork = "b"\nfile = "c"\nsha256 = ""\norigin = ""\n'
    entry += 'licence = ""\ncommercial_use = false\n[checkpoints.preprocessing]\nsize = [1, 1]\n'
    (tmp_path / "manifest.toml").write_text(entry * 2)

    with pytest.raises(CheckpointError, match="two checkpoints have the same name"):
        read_manifest(tmp_path)


def test_a_manifest_with_a_misspelt_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.toml").write_text(
        '[[checkpoints]]\nname = "a"\nlicense = "b"\n[checkpoints.preprocessing]\nsize = [1, 1]\n'
    )

    with pytest.raises(CheckpointError, match="license"):
        read_manifest(tmp_path)


def bundled_checkpoints() -> list[Checkpoint]:
    """The checkpoints whose files come with the project."""
    bundled = [entry for entry in read_manifest(bundled_weights_dir()).values() if not entry.is_official]
    assert bundled
    return bundled


def test_every_bundled_checkpoint_fits_and_reproduces_its_golden_sample(tmp_path: Path) -> None:
    folder = bundled_weights_dir()
    for checkpoint in bundled_checkpoints():
        assert checkpoint.licence
        assert checkpoint.trained_on
        assert checkpoint.command
        write_golden(checkpoint, load_network(checkpoint, folder), tmp_path)
        row = torch.from_numpy(read_golden(checkpoint, tmp_path))
        assert agrees(row, read_golden(checkpoint, folder))


def test_all_bundled_weights_together_stay_small() -> None:
    folder = bundled_weights_dir()

    assert sum((folder / checkpoint.file).stat().st_size for checkpoint in bundled_checkpoints()) <= 64_000_000


OFFICIAL = [entry for entry in read_manifest(bundled_weights_dir()).values() if entry.is_official]


@pytest.mark.parametrize("checkpoint", OFFICIAL, ids=lambda checkpoint: checkpoint.name)
def test_an_official_checkpoint_is_of_a_network_that_can_be_built(checkpoint: Checkpoint) -> None:
    family = family_of(checkpoint.network)
    if family.task == "detection":
        pytest.importorskip("torchvision", reason="the extra [torchvision] is not installed")

    with torch.device("meta"):
        shapes = {
            name: tuple(tensor.shape)
            for name, tensor in models.create(checkpoint.network, **checkpoint.arguments).state_dict().items()
        }

    assert checkpoint.task == family.task
    assert checkpoint.file == f"{checkpoint.name}.safetensors"
    assert checkpoint.licence
    assert checkpoint.source
    assert checkpoint.source.page.startswith("https://")
    assert family.arguments(shapes).items() >= checkpoint.arguments.items()


def test_the_hash_in_the_name_of_an_official_file_is_known() -> None:
    named = {
        entry.source.file: entry.source.sha256
        for entry in OFFICIAL
        if entry.source and re.search(r"-[0-9a-f]{8}\.pth$", entry.source.file)
    }

    assert len(named) == 7
    assert all(sha256 and f"-{sha256[:8]}.pth" in file for file, sha256 in named.items())


def test_published_figures_are_shares() -> None:
    figures = [value for entry in OFFICIAL for row in entry.published.values() for value in row.values()]

    assert figures
    assert all(0 < value < 1 for value in figures)


def test_rewriting_the_manifest_changes_nothing_but_what_is_written() -> None:
    text = (bundled_weights_dir() / MANIFEST).read_text()

    assert tomli_w.dumps(tomllib.loads(text)) == text
