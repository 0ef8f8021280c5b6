"""Every runtime against torch in single precision: embeddings to a cosine of 0.99999, keypoints to 0.05 heatmap pixel,
ages to 0.02 years."""

import io
import subprocess
import sys
import threading
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from models.checkpoint import bundled_weights_dir, load_network, read_manifest
from models.heatmaps import decode_hrnet
from models.ordinal import ordinal_ages
from models.predictors.reid import PersonEmbedder
from models.runtimes.agreement import agreement
from models.runtimes.cache import FileCache
from models.runtimes.selection import RuntimeName, RuntimeOptions, accelerate
from tests.models.runtimes.tiny import GLCNN, HOURGLASS, HRNET, PLAIN, PRINCETON, RGA, RRID, Tiny, random_images

CPU = torch.device("cpu")
compiled = pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
families = pytest.mark.parametrize(
    "tiny",
    [RGA, PLAIN, HOURGLASS, PRINCETON, GLCNN, *(pytest.param(t, marks=pytest.mark.slow) for t in (HRNET, RRID))],
    ids=lambda tiny: tiny.name,
)


def compile_network(tiny: Tiny, network: nn.Module, runtime: RuntimeName) -> nn.Module:
    return accelerate(network, tiny.checkpoint(), RuntimeOptions(CPU, runtime, threads=1), FileCache(None))


@families
@compiled
def test_a_runtime_computes_what_torch_does_for_any_batch(tiny: Tiny, runtime: RuntimeName) -> None:
    network = tiny.build()

    other = compile_network(tiny, network, runtime)

    for count in (1, 3):
        compared = agreement(network, other, random_images(count, tiny.shape))
        assert compared.cosine >= 0.99999
        assert compared.relative_error <= 1e-4


@compiled
def test_keypoints_and_ages_stay_where_they_are(runtime: RuntimeName) -> None:
    pose, gait = HOURGLASS.build(), GLCNN.build()
    pictures, geis = random_images(3, HOURGLASS.shape), random_images(3, GLCNN.shape)

    heatmaps = [way(pictures)[:, -1].detach() for way in (pose, compile_network(HOURGLASS, pose, runtime))]
    ages = [ordinal_ages(way(geis).age_logits.detach()) for way in (gait, compile_network(GLCNN, gait, runtime))]

    true, found = (decode_hrnet(each)[0] for each in heatmaps)
    assert (true - found).abs().max() <= 0.05
    assert (ages[0] - ages[1]).abs().max() <= 0.02


@compiled
def test_threads_may_call_one_network_at_once(runtime: RuntimeName) -> None:
    network = PLAIN.build()
    other = compile_network(PLAIN, network, runtime)
    batches = [random_images(count, PLAIN.shape) + count for count in (1, 2, 3, 4)]
    answers: dict[int, list[torch.Tensor]] = {}

    def call(index: int) -> None:
        answers[index] = [other(batches[index]) for _ in range(20)]

    threads = [threading.Thread(target=call, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with torch.no_grad():
        for index, batch in enumerate(batches):
            for answer in answers[index]:
                torch.testing.assert_close(answer, network(batch), rtol=1e-4, atol=1e-4)


def test_bfloat16_is_near_and_comes_back_as_float32() -> None:
    network, images = PLAIN.build(), random_images(2, PLAIN.shape)

    for runtime in ("torch", "openvino"):
        options = RuntimeOptions(CPU, runtime, "bf16", threads=1)
        other = accelerate(network, PLAIN.checkpoint(), options, FileCache(None))
        with torch.inference_mode():
            assert other(images).dtype == torch.float32
        assert agreement(network, other, images).cosine >= 0.99


def test_importing_openvino_reports_to_nobody() -> None:
    program = (
        "from models.runtimes.openvino import import_openvino; import sys; import_openvino(); "
        "assert sys.modules['openvino_telemetry'] is None; "
        "print(sys.modules['openvino.tools.ovc.telemetry_utils'].tm.__name__)"
    )

    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == "openvino.tools.ovc.telemetry_stub"


@pytest.mark.shared
@compiled
def test_real_crops_keep_their_embeddings_with_trained_weights(runtime: RuntimeName, shared: Path) -> None:
    folder = bundled_weights_dir()
    checkpoint = read_manifest(folder)["rga-market1501-compact"]
    network, seen = load_network(checkpoint, folder), checkpoint.preprocessing
    other = accelerate(network, checkpoint, RuntimeOptions(CPU, runtime, threads=1), FileCache(None))
    with ZipFile(shared / "data" / "market1501" / "market1501_621ids.zip") as archive:
        names = [name for name in archive.namelist() if name.endswith(".jpg")][:800:100]
        crops = [np.array(Image.open(io.BytesIO(archive.read(name))).convert("RGB")) for name in names]

    rows = []
    for way in (network, other):
        embedder = PersonEmbedder(way, seen.size, seen.normalisation, seen.flip)
        with torch.inference_mode():
            rows.append(embedder.forward(torch.stack([embedder.prepare(crop) for crop in crops])))

    assert len(crops) == 8
    assert (rows[0] * rows[1]).sum(dim=1).min() >= 0.99999


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
@pytest.mark.parametrize(("precision", "cosine"), [("fp32", 0.9999), ("bf16", 0.99)])
def test_a_gpu_replays_what_torch_computes(precision: str, cosine: float) -> None:
    network = PLAIN.build()
    options = RuntimeOptions(torch.device("cuda"), precision=precision)  # type: ignore[arg-type]
    replayed = accelerate(PLAIN.build(), PLAIN.checkpoint(), options, FileCache(None))

    for seed in range(3):
        for count in (1, 4):
            images = random_images(count, PLAIN.shape) + seed
            answer = replayed(images.cuda()).cpu()
            assert agreement(network, lambda _, answer=answer: answer, images).cosine >= cosine  # type: ignore[misc]
