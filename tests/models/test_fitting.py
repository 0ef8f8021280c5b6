from typing import Any

import pytest
import torch
from torch import Tensor

import models
from models.checkpoint import CheckpointError
from models.families import family_of
from models.fitting import fit

RGA = {"input_size": (32, 16), "width": 8}
HOURGLASS = {"num_stacks": 1, "num_blocks": 1, "num_keypoints": 3, "channels": 16}


def state_of(network: str, **arguments: object) -> dict[str, Tensor]:
    torch.manual_seed(0)
    return dict(models.create(network, **arguments).state_dict())


@pytest.mark.parametrize(
    ("network", "arguments"),
    [
        *((name, {"num_classes": 5, "input_size": (64, 32), "width": 16}) for name in models.names() if "rga_" in name),
        ("rga_s_resnet50", {"input_size": (384, 192), "width": 64}),
        ("resnet18_bnneck", {"num_classes": 5, "width": 8}),
        ("rrid_resnet50", {"num_classes": 751}),
        ("rrid_resnet50", {}),
        ("hrnet_w32_pose", {"num_keypoints": 16}),
        ("hrnet_w48_pose", {"num_keypoints": 17}),
        ("hrnet_w18_cls", {"num_classes": 10}),
        ("hrnet_w18_small_v1_cls", {"num_classes": 1000}),
        ("hourglass_princeton", {"num_stacks": 2, "num_keypoints": 16, "channels": 256}),
        ("hourglass_bearpaw", {"num_stacks": 3, "num_blocks": 2, "num_keypoints": 14, "channels": 128}),
        ("glcnn", {"input_size": (64, 44), "num_ages": 100, "num_genders": 2}),
        ("glcnn", {"input_size": (128, 88), "num_ages": 89, "num_genders": 3}),
    ],
)
def test_the_arguments_of_a_network_are_read_off_its_shapes(network: str, arguments: dict[str, Any]) -> None:
    with torch.device("meta"):
        state = models.create(network, **arguments).state_dict()

    assert family_of(network).arguments({name: tuple(t.shape) for name, t in state.items()}) == arguments


def test_every_network_is_of_a_family_with_its_task() -> None:
    tasks = {name: family_of(name).task for name in models.names()}

    assert set(tasks.values()) == {"reid", "pose", "gait", "classification", "detection"}
    assert {tasks["rrid_resnet50"], tasks["resnet18_bnneck"]} == {"reid"}


def test_a_network_that_does_not_exist_has_no_family() -> None:
    with pytest.raises(CheckpointError, match="of no family"):
        fit({}, "vgg", {})


def test_what_fits_is_kept_in_the_order_of_the_network() -> None:
    state = state_of("hourglass_bearpaw", **HOURGLASS)
    shuffled = dict(sorted(state.items()))

    fitted = fit(shuffled, "hourglass_bearpaw", {})

    assert list(fitted.state) == list(state)
    assert all(torch.equal(tensor, state[name]) for name, tensor in fitted.state.items())
    assert (fitted.arguments, fitted.notes) == (HOURGLASS, ())


def test_the_parts_of_one_storage_get_memory_of_their_own() -> None:
    state = state_of("hourglass_bearpaw", **HOURGLASS)
    shared = torch.zeros(64)
    state["bn1.weight"], state["bn1.bias"] = shared[0:8:2], shared[1:9:2]

    fitted = fit(state, "hourglass_bearpaw", {}).state

    assert fitted["bn1.weight"].is_contiguous()
    assert fitted["bn1.weight"].untyped_storage().data_ptr() != fitted["bn1.bias"].untyped_storage().data_ptr()


def test_training_heads_are_dropped_and_said_to_be() -> None:
    state = state_of("rga_sc_resnet18", num_classes=5, **RGA)

    fitted = fit(state, "rga_sc_resnet18", {"num_classes": 5})

    assert set(state) - set(fitted.state) == {"cls.weight"}
    assert fitted.arguments == RGA
    assert fitted.notes == ("dropped training heads, which serving does not need: cls.weight",)


def test_training_heads_are_kept_on_demand() -> None:
    state = state_of("rga_sc_resnet18", num_classes=5, **RGA)

    fitted = fit(state, "rga_sc_resnet18", {}, keep_heads=True)

    assert torch.equal(fitted.state["cls.weight"], state["cls.weight"])
    assert fitted.arguments == RGA | {"num_classes": 5}
    assert fitted.notes == ("kept training heads: cls.weight",)


def test_it_is_said_when_there_are_no_heads_to_keep() -> None:
    fitted = fit(state_of("rga_sc_resnet18", **RGA), "rga_sc_resnet18", {}, keep_heads=True)

    assert fitted.notes == ("there are no training heads to keep",)


def test_missing_counters_become_zero_and_are_counted() -> None:
    state = state_of("hourglass_bearpaw", **HOURGLASS)
    old = {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}

    fitted = fit(old, "hourglass_bearpaw", {})

    assert list(fitted.state) == list(state)
    assert fitted.state["bn1.num_batches_tracked"].item() == 0
    assert fitted.state["bn1.num_batches_tracked"].dtype == torch.int64
    assert f"set {len(state) - len(old)} missing num_batches_tracked to zero" in fitted.notes[0]


def test_the_counts_of_a_profiler_are_left_out() -> None:
    state = state_of("hourglass_bearpaw", **HOURGLASS)
    counts = {"total_ops": torch.zeros(1), "conv1.total_params": torch.zeros(1)}

    fitted = fit(state | counts, "hourglass_bearpaw", {})

    assert list(fitted.state) == list(state)
    assert fitted.notes == ("left out 2 counts of a profiler",)


def test_unused_entries_are_named_and_refused() -> None:
    state = state_of("hourglass_bearpaw", **HOURGLASS) | {f"extra.{i}": torch.ones(1) for i in range(9)}

    with pytest.raises(CheckpointError, match=r"has unknown extra\.0, .*extra\.5 and 3 more"):
        fit(state, "hourglass_bearpaw", {})


def test_missing_entries_are_named() -> None:
    state = state_of("hourglass_bearpaw", **HOURGLASS)
    del state["layer1.0.conv2.bias"]

    with pytest.raises(CheckpointError, match=r"lacks layer1\.0\.conv2\.bias"):
        fit(state, "hourglass_bearpaw", {})


@pytest.mark.parametrize(
    ("tensor", "description"),
    [(torch.ones(7), r"\(7,\) float32 and not \(4,\) float32"), (torch.ones(4, dtype=torch.int64), r"\(4,\) int64")],
    ids=["shape", "integers"],
)
def test_an_entry_of_another_kind_is_described(tensor: Tensor, description: str) -> None:
    state = state_of("hourglass_bearpaw", **HOURGLASS) | {"bn1.weight": tensor}

    with pytest.raises(CheckpointError, match=rf"bn1\.weight is {description}"):
        fit(state, "hourglass_bearpaw", {})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused(value: float) -> None:
    state = state_of("hourglass_bearpaw", **HOURGLASS)
    state["bn1.weight"][2] = value

    with pytest.raises(CheckpointError, match=r"not finite in bn1\.weight"):
        fit(state, "hourglass_bearpaw", {})


@pytest.mark.parametrize(
    ("given", "stored", "note"),
    [
        (torch.float64, torch.float32, "rounded 18 entries of float64 to float32"),
        (torch.float16, torch.float16, "kept 18 entries in float16; the network computes with them in float32"),
        (torch.bfloat16, torch.bfloat16, "kept 18 entries in bfloat16; the network computes with them in float32"),
    ],
)
def test_doubles_are_rounded_and_shorter_numbers_are_kept_aloud(
    given: torch.dtype, stored: torch.dtype, note: str
) -> None:
    state = {name: t.to(given) if t.is_floating_point() else t for name, t in state_of("glcnn").items()}

    fitted = fit(state, "glcnn", {})

    assert fitted.state["conv.conv.weight"].dtype == stored
    assert note in fitted.notes
    assert all(t.dtype == stored for t in fitted.state.values() if t.is_floating_point())


def test_a_file_of_another_network_is_refused_with_what_is_in_it() -> None:
    state = state_of("hourglass_bearpaw", **HOURGLASS)

    with pytest.raises(CheckpointError, match=r"no glcnn: 'linear_layer1.weight' is missing; there are conv1.weight"):
        fit(state, "glcnn", {})


def test_arguments_that_are_given_win_over_what_the_shapes_tell() -> None:
    square = {"input_size": (64, 64), "width": 8}
    state = state_of("rga_sc_resnet18", **square)

    with pytest.raises(CheckpointError, match="does not fit"):
        fit(state, "rga_sc_resnet18", {})
    assert fit(state, "rga_sc_resnet18", {"input_size": (64, 64)}).arguments == square


def test_arguments_that_the_network_does_not_have_are_refused() -> None:
    with pytest.raises(CheckpointError, match="cannot be built with"):
        fit(state_of("glcnn"), "glcnn", {"colour": 3})
