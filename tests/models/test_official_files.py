from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from models.checkpoint import CheckpointError
from models.official_files import read_official_file
from tests.models.pickles import disguise

STATE = {"conv.weight": torch.arange(4.0), "bn.num_batches_tracked": torch.tensor(3)}


def written(folder: Path, contents: object) -> Path:
    torch.save(contents, folder / "file.pth")
    return folder / "file.pth"


def prefixed(prefix: str) -> dict[str, Tensor]:
    return OrderedDict((prefix + name, tensor) for name, tensor in STATE.items())


def assert_is_state(state: dict[str, Tensor]) -> None:
    assert list(state) == list(STATE)
    assert all(torch.equal(tensor, STATE[name]) for name, tensor in state.items())


def test_a_plain_state_dictionary_is_taken_as_it_is(tmp_path: Path) -> None:
    official = read_official_file(written(tmp_path, STATE))

    assert_is_state(official.state)
    assert official.notes == ()


@pytest.mark.parametrize("prefix", ["module.", "model.module.", "module.model."])
def test_prefixes_of_all_names_are_taken_off(tmp_path: Path, prefix: str) -> None:
    official = read_official_file(written(tmp_path, prefixed(prefix)))

    assert_is_state(official.state)
    assert official.notes == (f"took the prefix {prefix} off every name",)


@pytest.mark.parametrize(
    "names",
    [
        ("_orig_mod.conv.weight", "_orig_mod.bn.num_batches_tracked"),
        ("module._orig_mod.conv.weight", "module._orig_mod.bn.num_batches_tracked"),
        ("conv._orig_mod.weight", "bn.num_batches_tracked"),
    ],
    ids=["whole", "and parallel", "one layer"],
)
def test_the_names_of_compiled_layers_are_as_if_they_were_not(tmp_path: Path, names: tuple[str, str]) -> None:
    official = read_official_file(written(tmp_path, dict(zip(names, STATE.values(), strict=True))))

    assert_is_state(official.state)
    assert official.notes[0].startswith("took torch.compile's _orig_mod. out of")


def test_a_prefix_of_some_names_only_stays(tmp_path: Path) -> None:
    official = read_official_file(written(tmp_path, prefixed("module.") | {"head.weight": torch.ones(1)}))

    assert list(official.state) == ["module.conv.weight", "module.bn.num_batches_tracked", "head.weight"]


@pytest.mark.parametrize("wrapper", ["state_dict", "model", "model_state_dict", "net"])
def test_the_state_is_found_beside_an_optimizer(tmp_path: Path, wrapper: str) -> None:
    optimizer = {"state": {0: {"step": 7, "exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 1e-3, "params": [0]}]}
    contents = {"epoch": 7, "arch": "hg", "optimizer": optimizer, wrapper: prefixed("model.module.")}

    official = read_official_file(written(tmp_path, contents))

    assert_is_state(official.state)
    assert official.notes[0] == f"took {wrapper} and left out arch, epoch, optimizer"


def test_a_wrapper_within_a_wrapper_is_opened(tmp_path: Path) -> None:
    official = read_official_file(written(tmp_path, {"model": {"state_dict": STATE, "epoch": 1}}))

    assert_is_state(official.state)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_pickled_network_gives_its_state_unprefixed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrapped: bool
) -> None:
    network = nn.Sequential(OrderedDict(conv=nn.Conv2d(2, 2, 1), bn=nn.BatchNorm2d(2)))
    expected = network.state_dict()
    pickled = disguise(network, monkeypatch)
    path = written(tmp_path, {"model": pickled, "epoch": 3} if wrapped else pickled)

    official = read_official_file(path)

    assert list(official.state) == list(expected)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in official.state.items())
    assert "took the parameters of the pickled DataParallel; none of its code was run" in official.notes


def test_parameters_count_as_tensors(tmp_path: Path) -> None:
    official = read_official_file(written(tmp_path, dict(nn.Linear(2, 1).named_parameters())))

    assert list(official.state) == ["weight", "bias"]


def test_a_safetensors_file_is_read(tmp_path: Path) -> None:
    save_file(prefixed("module."), tmp_path / "file.safetensors")

    assert_is_state(dict(sorted(read_official_file(tmp_path / "file.safetensors").state.items(), reverse=True)))


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        ([torch.ones(1)], "holds a list"),
        ({}, "it has nothing"),
        ({"epoch": 3, "best": 0.5}, "it has epoch, best"),
        ({"weight": torch.ones(1), "name": "net"}, "it has name"),
        ({"weight": torch.ones(2, 2).to_sparse()}, "it has weight"),
        ({"weight": torch.ones(2, device="meta")}, "it has weight"),
        ({3: torch.ones(1)}, "it has 3"),
    ],
    ids=["list", "empty", "no state", "text", "sparse", "meta", "number"],
)
def test_what_holds_no_state_dictionary_is_refused_and_described(tmp_path: Path, contents: object, reason: str) -> None:
    with pytest.raises(CheckpointError, match=reason):
        read_official_file(written(tmp_path, contents))


def test_a_damaged_safetensors_file_is_refused(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "whole.safetensors")
    (tmp_path / "file.safetensors").write_bytes((tmp_path / "whole.safetensors").read_bytes()[:-1])

    with pytest.raises(CheckpointError, match="cannot be read"):
        read_official_file(tmp_path / "file.safetensors")
