"""Frames of an untrusted video, decoded in a child process."""

import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from app.sandbox import video_child
from app.sandbox.pipes import EndedError, in_memory, read_exactly
from app.sandbox.video_child import END, HEADER, TOO_LARGE, TOO_LONG

STALL_SECONDS = 30.0
"""How long a child may be silent; it is not stalled while it waits for a slow reader."""


@dataclass(frozen=True)
class VideoLimits:
    """What decoding one video may take.

    Attributes:
        cpu_seconds: of the decoder.
        memory_bytes: of the decoder's address space.
        max_pixels: of one frame.
        max_frames: of the video.
    """

    cpu_seconds: int = 120
    memory_bytes: int = 2 << 30
    max_pixels: int = 10_000_000
    max_frames: int = 20_000


@dataclass(frozen=True)
class Frame:
    """One frame: its number from 0, its time in seconds, and its RGB pixels (H, W, 3) uint8."""

    number: int
    seconds: float
    image: NDArray[np.uint8]


class VideoError(ValueError):
    """A video cannot be decoded within its limits.

    Attributes:
        limit: the one that was passed, if one was.
    """

    def __init__(self, detail: str, limit: int | None = None) -> None:
        super().__init__(detail)
        self.limit = limit


def is_video(data: bytes) -> bool:
    """Whether a file begins as MP4 or QuickTime, AVI, or Matroska or WebM do.

    Only these reach a decoder: other formats that it knows are playlists, which name further files to open.
    """
    return data[4:8] == b"ftyp" or (data[:4] == b"RIFF" and data[8:12] == b"AVI ") or data[:4] == b"\x1aE\xdf\xa3"


def decode_video(data: bytes, limits: VideoLimits) -> Generator[Frame, None, None]:
    """Decode a video frame by frame; memory stays at a few frames. Closing the iterator kills the decoder.

    Raises:
        VideoError: it is no video, is damaged, or passes a limit. Frames before the damage are given first.
    """
    if not is_video(data):
        raise VideoError("it is no MP4, QuickTime, AVI, Matroska or WebM file")
    with _child(data, limits) as (process, output):
        while True:
            number, seconds, height, width = HEADER.unpack(_read(process, output, HEADER.size))
            if number < 0:
                if number == END:
                    return
                raise _refusal(number, height * width, limits)
            if height * width > limits.max_pixels:
                raise _refusal(TOO_LARGE, height * width, limits)
            pixels = _read(process, output, height * width * 3)
            yield Frame(number, seconds, np.frombuffer(pixels, np.uint8).reshape(height, width, 3))


def _refusal(number: int, pixels: int, limits: VideoLimits) -> VideoError:
    if number == TOO_LARGE:
        return VideoError(f"its frames have {pixels} pixels; at most {limits.max_pixels} are read", limits.max_pixels)
    if number == TOO_LONG:
        return VideoError(f"it has more than {limits.max_frames} frames", limits.max_frames)
    return VideoError("it is damaged, or in a format that is not read here")


@contextmanager
def _child(data: bytes, limits: VideoLimits) -> Iterator[tuple["subprocess.Popen[bytes]", IO[bytes]]]:
    with in_memory(data) as file:
        descriptor = file.fileno()
        numbers = (descriptor, limits.cpu_seconds, limits.memory_bytes, limits.max_pixels, limits.max_frames)
        process = subprocess.Popen(
            [sys.executable, "-I", str(Path(video_child.__file__)), *map(str, numbers)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=(descriptor,),
            env={},
        )
        assert process.stdout is not None
        try:
            yield process, process.stdout
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def _read(process: "subprocess.Popen[bytes]", output: IO[bytes], size: int) -> bytearray:
    try:
        return read_exactly(output.fileno(), size, STALL_SECONDS)
    except TimeoutError:
        raise VideoError(f"its decoder did nothing for {STALL_SECONDS:.0f} s") from None
    except EndedError:
        raise VideoError(_died(process)) from None


def _died(process: "subprocess.Popen[bytes]") -> str:
    deadline = time.monotonic() + 1
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return f"its decoder passed a limit of time or memory, or crashed (exit code {process.poll()})"
