import builtins
import io
import os
import pickle
import tarfile
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.backbones.resnet import Bottleneck
from models.checkpoint import CheckpointError
from models.torch_files import StandIn, load_torch_file, state_of
from tests.models.pickles import Call, disguise, foreign_class, save

FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before 1.6"])


class SmallRelationModel(nn.Module):
    """The parts that RRID's object is made of, in small."""

    def __init__(self) -> None:
        super().__init__()
        self.base = nn.Sequential(Bottleneck(4, 2), nn.MaxPool2d(2))
        self.local_6_conv_list = nn.ModuleList([nn.Sequential(nn.Conv2d(8, 2, 1), nn.BatchNorm2d(2), nn.ReLU())])
        self.register_buffer("scratch", torch.ones(2), persistent=False)
        self.register_buffer("steps", torch.ones(2))


def pickled_network(monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    torch.manual_seed(0)
    return disguise(SmallRelationModel(), monkeypatch)


@FORMATS
def test_a_pickled_network_gives_its_state_without_its_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zipped: bool
) -> None:
    network = pickled_network(monkeypatch)
    expected = network.state_dict()
    path = save(network, tmp_path / "network.pth", zipped)
    monkeypatch.undo()

    loaded = load_torch_file(path)

    assert isinstance(loaded, StandIn)
    assert type(loaded).__name__ == "DataParallel"
    state = state_of(loaded)
    assert list(state) == list(expected)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in state.items())


@FORMATS
@pytest.mark.parametrize("function", [os.system, builtins.eval, builtins.exec, torch.load, torch.hub.load])
def test_a_pickle_that_calls_something_is_refused_and_nothing_is_called(
    tmp_path: Path, zipped: bool, function: Callable[..., object]
) -> None:
    mark = tmp_path / "mark"
    order = f"touch {mark}" if function is os.system else f"open({str(mark)!r}, 'w')"
    path = save({"state_dict": {}, "epoch": Call(function, order)}, tmp_path / "evil.pth", zipped)

    with pytest.raises(CheckpointError, match=rf"refused: it names \S+{function.__name__}"):
        load_torch_file(path)

    assert not mark.exists()


def test_the_same_pickle_does_run_where_nothing_is_refused(tmp_path: Path) -> None:
    mark = tmp_path / "mark"

    pickle.loads(pickle.dumps(Call(os.system, f"touch {mark}")))

    assert mark.exists()


@FORMATS
def test_a_call_hidden_in_a_network_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zipped: bool) -> None:
    network, mark = pickled_network(monkeypatch), tmp_path / "mark"
    vars(network)["note"] = Call(os.system, f"touch {mark}")
    path = save(network, tmp_path / "evil.pth", zipped)

    with pytest.raises(CheckpointError, match=r"posix\.system"):
        load_torch_file(path)

    assert not mark.exists()


def test_a_call_in_the_head_of_the_old_format_is_refused(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Call(os.system, f"touch {mark}"), protocol=2))

    with pytest.raises(CheckpointError, match=r"posix\.system"):
        load_torch_file(tmp_path / "evil.pth")

    assert not mark.exists()


@FORMATS
def test_networks_of_classes_that_are_not_known_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zipped: bool
) -> None:
    network = foreign_class(monkeypatch, "somebody", "Network")()

    with pytest.raises(CheckpointError, match=r"somebody\.Network"):
        load_torch_file(save(network, tmp_path / "network.pth", zipped))


@pytest.mark.parametrize("name", ["Module.__init__", "container.os.system", "", "a b"])
def test_names_that_lead_out_of_a_package_of_layers_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "evil.pth"
    encoded = name.encode()
    path.write_bytes(b"\x80\x04\x8c\x17torch.nn.modules.module\x8c" + bytes([len(encoded)]) + encoded + b"\x93.")

    with pytest.raises(CheckpointError, match="refused"):
        load_torch_file(path)


def test_what_is_called_like_a_layer_is_never_the_layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = pickled_network(monkeypatch)
    vars(network)["hook"] = Call(nn.modules.module.register_module_forward_hook, "anything")
    hooks = len(nn.modules.module._global_forward_hooks)

    loaded = load_torch_file(save(network, tmp_path / "network.pth", zipped=True))

    assert isinstance(vars(loaded)["hook"], StandIn)
    assert len(nn.modules.module._global_forward_hooks) == hooks


def test_a_tensor_larger_than_its_storage_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = pickled_network(monkeypatch)
    rebuild, (storage, *_) = torch.ones(4).__reduce_ex__(2)  # type: ignore[no-untyped-call]
    vars(network)["beyond"] = Call(rebuild, storage, 0, (1000,), (1,), False, OrderedDict())

    with pytest.raises(CheckpointError, match="damaged"):
        load_torch_file(save(network, tmp_path / "network.pth", zipped=True))


@FORMATS
def test_a_best_accuracy_from_numpy_does_not_keep_the_weights_from_being_read(tmp_path: Path, zipped: bool) -> None:
    contents = {"state_dict": {"w": torch.arange(3.0)}, "best_acc": np.float64(0.5)}

    loaded = load_torch_file(save(contents, tmp_path / "run.pth", zipped))

    assert isinstance(loaded, dict)
    assert torch.equal(loaded["state_dict"]["w"], torch.arange(3.0))


@FORMATS
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.bool])
def test_plain_tensors_of_any_type_and_layout_are_read(tmp_path: Path, zipped: bool, dtype: torch.dtype) -> None:
    tensor = torch.arange(24).reshape(4, 6).to(dtype)
    contents: dict[str, Tensor] = {"whole": tensor, "part": tensor[1:, ::2], "turned": tensor.t()}

    loaded = load_torch_file(save(contents, tmp_path / "tensors.pth", zipped))

    assert isinstance(loaded, dict)
    assert all(torch.equal(loaded[name], tensor) for name, tensor in contents.items())


@pytest.mark.parametrize("contents", [b"PK\x03\x04 no zip", b"\x80\x02}q"])
def test_what_is_no_file_of_torch_is_refused(tmp_path: Path, contents: bytes) -> None:
    (tmp_path / "file.pth").write_bytes(contents)

    with pytest.raises(CheckpointError, match=r"no file of torch\.save"):
        load_torch_file(tmp_path / "file.pth")


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = save({"w": torch.ones(1000)}, tmp_path / "file.pth", zipped=True)
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(CheckpointError, match=r"no file of torch\.save"):
        load_torch_file(path)


def test_programs_of_torchscript_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "program.pt", "w") as archive:
        archive.writestr("program/constants.pkl", pickle.dumps(()))
        archive.writestr("program/data.pkl", pickle.dumps(()))
        archive.writestr("program/version", "3")

    with pytest.raises(CheckpointError, match="TorchScript"):
        load_torch_file(tmp_path / "program.pt")


def test_the_tar_format_of_the_first_versions_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "old.pth", "w") as archive:
        for name in ("storages", "tensors", "pickle"):
            archive.addfile(tarfile.TarInfo(name), io.BytesIO(b""))

    with pytest.raises(CheckpointError, match="tar"):
        load_torch_file(tmp_path / "old.pth")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nothing\.pth cannot be read: No such file"):
        load_torch_file(tmp_path / "nothing.pth")


def test_a_network_that_contains_itself_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = pickled_network(monkeypatch)
    network._modules["itself"] = network
    loaded = load_torch_file(save(network, tmp_path / "network.pth", zipped=True))
    assert isinstance(loaded, StandIn)

    with pytest.raises(CheckpointError, match="contains itself"):
        state_of(loaded)
