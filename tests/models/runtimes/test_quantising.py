"""Networks in int8: what is rounded, how near it stays, and which files are served."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
import pytest
import torch
from safetensors.torch import save_file

from models.checkpoint import Checkpoint, CheckpointError, sha256_of
from models.golden import LOW_PRECISION_COSINE, agrees, golden_item, golden_path, in_int8, read_golden, write_golden
from models.predictors.gait import answers_of
from models.runtimes.agreement import agreement
from models.runtimes.cache import FileCache
from models.runtimes.compiled import CompiledNetwork, RuntimeUnusableError
from models.runtimes.exporting import export_onnx
from models.runtimes.int8_files import int8_path, read_int8, read_int8_golden
from models.runtimes.openvino import open_openvino
from models.runtimes.quantising import quantise, write_int8
from models.runtimes.selection import RuntimeOptions, accelerate
from tests.models.runtimes.tiny import GLCNN, HRNET, PLAIN, RGA, Tiny, random_images

CPU = torch.device("cpu")
ANEW = "`gaitkeeper quantize tiny --data FOLDER` writes it"


def write_weights(tiny: Tiny, folder: Path) -> Checkpoint:
    """A checkpoint of a tiny network, with a file."""
    checkpoint = tiny.checkpoint()
    folder.mkdir(exist_ok=True)
    save_file(tiny.build().state_dict(), folder / checkpoint.file)
    return replace(checkpoint, sha256=sha256_of(folder / checkpoint.file))


def in_eight_bits(folder: Path, **how: object) -> RuntimeOptions:
    return RuntimeOptions(CPU, precision="int8", threads=1, int8_dir=folder, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "tiny", [PLAIN, RGA, GLCNN, pytest.param(HRNET, marks=pytest.mark.slow)], ids=lambda tiny: tiny.name
)
def test_int8_answers_nearly_the_same_for_any_batch(
    tiny: Tiny, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    network = tiny.build()

    rounded = quantise(export_onnx(network, tiny.shape), random_images(64, tiny.shape).numpy(), "0")

    assert not caplog.records
    assert capfd.readouterr() == ("", "")

    way = CompiledNetwork(network, open_openvino(lambda: rounded, tiny.shape, 1, "int8", FileCache(None), ""))
    for count in (1, 3):
        assert 0.99 <= agreement(network, way, random_images(count, tiny.shape)).cosine < 1


def test_weights_are_rounded_but_for_those_of_rga_s_attention() -> None:
    rounded = quantise(export_onnx(RGA.build(), RGA.shape), random_images(16, RGA.shape).numpy(), "0")

    graph = onnx.load_from_string(rounded).graph
    floats = {entry.name for entry in graph.initializer if entry.data_type == onnx.TensorProto.FLOAT}
    whole = {node.name for node in graph.node if node.op_type == "Conv" and node.input[1] in floats}
    convolutions = [node.name for node in graph.node if node.op_type == "Conv"]
    assert 0 < len(whole) < len(convolutions)
    assert whole == {name for name in convolutions if "/rga_att" in name}


def test_rounded_weights_have_seven_bits_as_sums_of_larger_ones_overflow_on_many_processors() -> None:
    rounded = quantise(export_onnx(PLAIN.build(), PLAIN.shape), random_images(16, PLAIN.shape).numpy(), "0")

    graph = onnx.load_from_string(rounded).graph
    weights = [onnx.numpy_helper.to_array(e) for e in graph.initializer if e.data_type == onnx.TensorProto.INT8]
    assert {int(np.abs(each.astype(int)).max()) for each in weights if each.ndim == 4} == {64}


def test_a_written_file_is_small_and_served_with_a_golden_sample_of_its_own(tmp_path: Path) -> None:
    checkpoint = write_weights(GLCNN, tmp_path)

    apart = write_int8(checkpoint, tmp_path, random_images(60, GLCNN.shape), tmp_path / "out")

    assert set(apart) == {"apart, median years", "apart, largest years"}
    assert apart["apart, median years"] <= 1
    assert int8_path(checkpoint, tmp_path / "out").stat().st_size < 0.3 * (tmp_path / checkpoint.file).stat().st_size
    served = accelerate(GLCNN.build(), checkpoint, in_eight_bits(tmp_path / "out"), FileCache(tmp_path / "cache"))
    with torch.inference_mode():
        row = answers_of(served, golden_item(checkpoint)[None])[0]
    assert agrees(row, read_golden(in_int8(checkpoint), tmp_path / "out"), LOW_PRECISION_COSINE)
    assert sorted(path.name for path in (tmp_path / "out").rglob("*")) == ["golden", "tiny.int8.npy", "tiny.int8.onnx"]


def test_a_file_that_is_made_anew_replaces_what_was_compiled_from_the_old_one(tmp_path: Path) -> None:
    checkpoint, files, images = (
        write_weights(PLAIN, tmp_path),
        FileCache(tmp_path / "cache"),
        random_images(50, PLAIN.shape),
    )
    answers = []
    for brightness in (1, 0.1):
        write_int8(checkpoint, tmp_path, brightness * images, tmp_path)
        answers.append(accelerate(PLAIN.build(), checkpoint, in_eight_bits(tmp_path), files)(images))

    assert not torch.equal(*answers)


def test_a_file_that_is_missing_damaged_or_of_other_weights_is_refused_with_the_command(tmp_path: Path) -> None:
    checkpoint, network = write_weights(PLAIN, tmp_path), PLAIN.build()

    with pytest.raises(ValueError, match=rf"precision is 'int8': .*tiny\.int8\.onnx is missing; {ANEW}"):
        accelerate(network, checkpoint, in_eight_bits(tmp_path), FileCache(None))

    write_int8(checkpoint, tmp_path, random_images(40, PLAIN.shape), tmp_path)
    with pytest.raises(ValueError, match=rf"was made from other weights than tiny has; {ANEW} anew"):
        accelerate(network, replace(checkpoint, sha256="1"), in_eight_bits(tmp_path), FileCache(None))

    path = int8_path(checkpoint, tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.raises(ValueError, match=rf"tiny\.int8\.onnx cannot be read: Is a directory; {ANEW}"):
        accelerate(network, checkpoint, in_eight_bits(tmp_path), FileCache(None))


def test_a_file_of_which_any_byte_is_lost_or_changed_is_refused_by_name_with_the_command(tmp_path: Path) -> None:
    checkpoint = write_weights(PLAIN, tmp_path)
    write_int8(checkpoint, tmp_path, random_images(40, PLAIN.shape), tmp_path)
    path = int8_path(checkpoint, tmp_path)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    # What says how to read the graph lies at both ends of the file.
    places = [*range(40), *rng.integers(len(whole), size=200), *range(len(whole) - 300, len(whole))]
    damaged = [whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :] for place in places]

    for bad in (b"", b"no network", whole[:1000], whole[:-1], *damaged):
        path.write_bytes(bad)
        with pytest.raises(RuntimeUnusableError, match=rf"tiny\.int8\.onnx (is damaged|was made from .*); {ANEW} anew"):
            read_int8(checkpoint, tmp_path)


@pytest.mark.parametrize("kept", [0, 20, 100, -1], ids=["empty", "cut in its first line", "cut before its data", "cut"])
def test_a_golden_sample_that_is_cut_off_is_refused_by_name_with_the_command(kept: int, tmp_path: Path) -> None:
    path = write_a_golden_sample(tmp_path)
    path.write_bytes(path.read_bytes()[:kept])

    with pytest.raises(CheckpointError, match=rf"tiny\.int8\.npy, is damaged; {ANEW} anew$"):
        read_int8_golden(PLAIN.checkpoint(), tmp_path)


def test_a_golden_sample_that_is_missing_or_no_array_is_refused_by_name_with_the_command(tmp_path: Path) -> None:
    path = write_a_golden_sample(tmp_path)
    others = [np.array([{"a": "pickle"}]), np.array(["words"])]
    for other in others:
        np.save(path, other, allow_pickle=True)
        with pytest.raises(CheckpointError, match=rf"tiny\.int8\.npy, is damaged; {ANEW} anew$"):
            read_int8_golden(PLAIN.checkpoint(), tmp_path)

    path.unlink()
    with pytest.raises(CheckpointError, match=rf"tiny\.int8\.npy, is missing; {ANEW} anew$"):
        read_int8_golden(PLAIN.checkpoint(), tmp_path)

    path.mkdir()
    with pytest.raises(CheckpointError, match=rf"tiny\.int8\.npy, cannot be read: Is a directory; {ANEW} anew$"):
        read_int8_golden(PLAIN.checkpoint(), tmp_path)


def test_whatever_changes_in_a_golden_sample_s_first_line_its_file_is_named(tmp_path: Path) -> None:
    path = write_a_golden_sample(tmp_path)
    whole, said = path.read_bytes(), set()

    for place, bit in product(range(whole.index(b"\n")), range(8)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
        said.add(refusal(tmp_path))

    # What is read all the same is compared with the network's answer at each start.
    assert {f"the golden sample of tiny.int8, {path}, is damaged; {ANEW} anew"} == said - {""}


def refusal(folder: Path) -> str:
    """Why the golden sample is refused; empty if it is not."""
    try:
        read_int8_golden(PLAIN.checkpoint(), folder)
    except CheckpointError as error:
        return str(error)
    return ""


def write_a_golden_sample(folder: Path) -> Path:
    checkpoint = in_int8(PLAIN.checkpoint())
    write_golden(checkpoint, PLAIN.build(), folder)
    return golden_path(checkpoint, folder)


def test_only_openvino_on_a_cpu_computes_int8() -> None:
    network, checkpoint = PLAIN.build(), PLAIN.checkpoint()

    for options in (RuntimeOptions(CPU, "torch", "int8"), RuntimeOptions(torch.device("cuda"), "auto", "int8")):
        with pytest.raises(ValueError, match="which OpenVINO alone computes, on the CPU; choose the runtime"):
            accelerate(network, checkpoint, options, FileCache(None))


def test_too_few_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there are 39 pictures to quantise by; give at least 40"):
        write_int8(PLAIN.checkpoint(), tmp_path, random_images(39, PLAIN.shape), tmp_path)


def test_a_network_that_does_not_bear_it_is_refused_and_leaves_nothing_behind(tmp_path: Path) -> None:
    checkpoint, images = write_weights(PLAIN, tmp_path), random_images(50, PLAIN.shape)
    # Ranges that the other pictures tell do not hold for these.
    images[:10] = 1000 * images[:10].roll(3, dims=3) - 500

    with pytest.raises(ValueError, match=r"tiny does not bear int8: cosine, median is 0\.\d+, beyond 0\.95"):
        write_int8(checkpoint, tmp_path, images, tmp_path / "out")

    assert list((tmp_path / "out").iterdir()) == []
