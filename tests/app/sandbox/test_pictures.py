import contextlib
import os
import resource
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from app.sandbox.pictures import PictureDecoders, PictureError, PictureLimits, UnknownFormatError
from tests.app.conftest import Server
from tests.app.pictures import encode, pattern

LIMITS = PictureLimits(max_pixels=1_000_000, memory_bytes=300_000_000)
LARGE = encode(Image.new("RGB", (4000, 4000), "grey"), "GIF")


@pytest.fixture
def decoders() -> Iterator[PictureDecoders]:
    with contextlib.closing(PictureDecoders()) as opened:
        yield opened


def accept(height: int, width: int) -> None:
    """Every size is fine."""


def children_of(pid: int | None) -> set[int]:
    """Processes below one, but for those that have ended and were not reaped yet."""
    listed = " ".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")).split()
    return {
        int(child) for child in listed if not Path(f"/proc/{child}/stat").read_text().split(") ")[1].startswith("Z")
    }


@pytest.mark.parametrize("kind", ["BMP", "GIF", "WEBP"])
def test_the_pixels_come_back(decoders: PictureDecoders, kind: str) -> None:
    image, orientation = decoders.decode(encode(pattern(), kind), LIMITS, accept)

    assert (image.shape, orientation) == (pattern().shape, 1)
    if kind == "BMP":
        assert np.array_equal(image, pattern())


def test_nobody_waits_for_another_picture(decoders: PictureDecoders) -> None:
    images = [np.full((64, 32, 3), level, np.uint8) for level in range(0, 250, 10)]

    with ThreadPoolExecutor(8) as threads:
        decoded = list(threads.map(lambda image: decoders.decode(encode(image, "BMP"), LIMITS, accept)[0], images))

    assert all(np.array_equal(*pair) for pair in zip(images, decoded, strict=True))


def test_a_decoder_that_needs_too_much_memory_is_ended(decoders: PictureDecoders) -> None:
    narrow = PictureLimits(max_pixels=10**9, memory_bytes=60_000_000)

    with pytest.raises(PictureError, match="limit of time or memory"):
        decoders.decode(LARGE, narrow, accept)

    assert decoders.decode(encode(pattern(), "GIF"), LIMITS, accept)[0].shape == pattern().shape


def test_a_decoder_that_hangs_is_killed(decoders: PictureDecoders) -> None:
    impatient = PictureLimits(max_pixels=10**9, memory_bytes=1 << 30, stall_seconds=0.001)

    with pytest.raises(PictureError, match=r"did nothing for 0\.001 s"):
        decoders.decode(LARGE, impatient, accept)

    while children_of(decoders.pid):
        continue


def test_a_picture_that_is_refused_by_its_size_is_not_decoded(decoders: PictureDecoders) -> None:
    def refuse(height: int, width: int) -> None:
        raise ValueError(f"{height} x {width}")

    with pytest.raises(ValueError, match="4000 x 4000"):
        decoders.decode(LARGE, LIMITS, refuse)

    while children_of(decoders.pid):
        continue


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
def test_another_process_takes_the_place_of_one_that_died(decoders: PictureDecoders, how: signal.Signals) -> None:
    decoders.decode(encode(pattern(), "GIF"), LIMITS, accept)
    before = decoders.pid
    assert before is not None

    os.kill(before, how)

    assert decoders.decode(encode(pattern(), "GIF"), LIMITS, accept)[0].shape == pattern().shape
    assert decoders.pid != before


def test_a_format_that_is_not_listed_is_unknown(decoders: PictureDecoders) -> None:
    with pytest.raises(UnknownFormatError):
        decoders.decode(encode(pattern(), "TIFF"), LIMITS, accept)


def test_a_cut_picture_is_damaged(decoders: PictureDecoders) -> None:
    with pytest.raises(PictureError, match="truncated"):
        decoders.decode(encode(pattern(), "BMP")[:-500], LIMITS, accept)


def test_thousands_of_open_files_do_not_hinder(decoders: PictureDecoders) -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 1500:
        pytest.skip("this machine allows fewer open files")
    with contextlib.ExitStack() as opened:
        for _ in range(1100):
            opened.enter_context(Path(os.devnull).open())

        assert decoders.decode(encode(pattern(), "GIF"), LIMITS, accept)[0].shape == pattern().shape


def test_a_server_outlives_its_decoders(server: Server, client: httpx.Client) -> None:
    def embed(data: bytes) -> httpx.Response:
        return client.post("/v1/reid/embed", files={"image": data})

    assert embed(encode(pattern(128, 64), "WEBP")).status_code == 200
    [decoder] = [child for child in children_of(server.process.pid) if b"picture_child" in _command(child)]
    os.kill(decoder, signal.SIGKILL)
    # Twice as many pixels as are allowed: the size is told, and nothing of it decoded.
    refused = embed(encode(Image.new("RGB", (10_000, 10_000)), "GIF"))
    again = embed(encode(pattern(128, 64), "WEBP"))

    assert (refused.status_code, refused.json()["type"]) == (413, "/problems/image-too-large")
    assert (again.status_code, again.json()["embeddings"][0]["status"]) == (200, "ok")


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()
