import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from models.runtimes.cache import FileCache
from models.runtimes.compiled import CompiledNetwork
from models.runtimes.exporting import export_onnx
from models.runtimes.selection import RuntimeOptions, accelerate, runtime_of
from tests.models.runtimes.tiny import PLAIN, random_images

CPU = torch.device("cpu")


class Eigen(nn.Module):
    """No exporter knows this."""

    def forward(self, images: Tensor) -> Tensor:
        roots: Tensor = torch.linalg.eigvals(images[..., :16, :16])
        return roots.real


def test_auto_takes_a_compiled_runtime_and_says_which(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "gaitkeeper"):
        network = accelerate(PLAIN.build(), PLAIN.checkpoint(), RuntimeOptions(CPU), FileCache(tmp_path))

    assert isinstance(network, CompiledNetwork)
    assert runtime_of(network) == "openvino"
    assert "tiny: computed by openvino on cpu in fp32" in caplog.text
    assert {path.suffix for path in tmp_path.iterdir()} == {".onnx", ".openvino"}


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_a_second_start_writes_nothing(runtime: str, tmp_path: Path) -> None:
    options = RuntimeOptions(CPU, runtime, threads=1)  # type: ignore[arg-type]
    accelerate(PLAIN.build(), PLAIN.checkpoint(), options, FileCache(tmp_path))
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}

    again = accelerate(PLAIN.build(), PLAIN.checkpoint(), options, FileCache(tmp_path))

    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    with torch.inference_mode():
        images = random_images(2, PLAIN.shape)
        torch.testing.assert_close(again(images), PLAIN.build()(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_other_weights_replace_the_files_of_their_network_and_of_no_other(runtime: str, tmp_path: Path) -> None:
    options, other = RuntimeOptions(CPU, runtime, threads=1), replace(PLAIN.checkpoint(), name="tiny-2")  # type: ignore[arg-type]
    written: list[set[str]] = []
    for checkpoint in (other, PLAIN.checkpoint("1"), PLAIN.checkpoint("2")):
        accelerate(PLAIN.build(), checkpoint, options, FileCache(tmp_path))
        written.append({path.name for path in tmp_path.iterdir()})

    others, with_first, with_second = written
    assert others < with_first
    assert with_first & with_second == others
    assert len(with_first) == len(with_second)


def test_a_network_that_cannot_leave_torch_stays_there(caplog: pytest.LogCaptureFixture) -> None:
    network = Eigen().eval()

    with caplog.at_level(logging.WARNING, "gaitkeeper"):
        served = accelerate(network, PLAIN.checkpoint(), RuntimeOptions(CPU), FileCache(None))

    assert served is network
    assert runtime_of(served) == "torch"
    assert "not computed by onnxruntime: Eigen cannot be written as ONNX" in caplog.text


def test_a_cached_file_that_computes_something_else_is_not_served(tmp_path: Path) -> None:
    options = RuntimeOptions(CPU, "onnxruntime", threads=1)
    accelerate(PLAIN.build(), PLAIN.checkpoint(), options, FileCache(tmp_path))
    (path,) = tmp_path.iterdir()
    path.unlink()
    other = PLAIN.build()
    with torch.no_grad():
        other.get_parameter("backbone.conv1.weight").neg_()
    FileCache(tmp_path).fetch(path.name, lambda: export_onnx(other, PLAIN.shape))

    with pytest.raises(ValueError, match="its answer is not torch's"):
        accelerate(PLAIN.build(), PLAIN.checkpoint(), options, FileCache(tmp_path))


def test_a_runtime_that_cannot_do_it_here_is_refused_by_name() -> None:
    network, checkpoint, files = Eigen().eval(), PLAIN.checkpoint(), FileCache(None)

    with pytest.raises(ValueError, match=r"runtime is 'onnxruntime': Eigen cannot be written"):
        accelerate(network, checkpoint, RuntimeOptions(CPU, "onnxruntime"), files)
    with pytest.raises(ValueError, match="computes in fp32 only"):
        accelerate(network, checkpoint, RuntimeOptions(CPU, "onnxruntime", "bf16"), files)
    with pytest.raises(ValueError, match="runs on the CPU only"):
        accelerate(network, checkpoint, RuntimeOptions(torch.device("cuda"), "openvino"), files)
