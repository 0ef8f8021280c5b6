"""Pixels of an odd picture, decoded in a child process."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from app.sandbox import picture_child
from app.sandbox.picture_child import DAMAGED, HEADER, REQUEST, SIZE, UNKNOWN
from app.sandbox.pipes import EndedError, in_memory, read_exactly

START_SECONDS = 30.0
"""How long a decoder may take to begin."""


@dataclass(frozen=True)
class PictureLimits:
    """What decoding one picture may take.

    Attributes:
        max_pixels: of the picture.
        memory_bytes: of the decoder's address space.
        cpu_seconds: of the decoder.
        stall_seconds: how long it may be silent.
    """

    max_pixels: int
    memory_bytes: int
    cpu_seconds: int = 20
    stall_seconds: float = 60.0


class PictureError(ValueError):
    """A picture cannot be decoded within its limits."""


class UnknownFormatError(PictureError):
    """It is no picture, or in a format that is not read here."""


class NoDecoderError(Exception):
    """No process could be started; the picture is not to blame."""


class PictureDecoders:
    """Decodes each picture in a process of its own, forked from one that is started for the first picture.

    Any number of threads may call it. The process ends with this one, or when it is closed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None

    @property
    def pid(self) -> int | None:
        """Of the process that forks, if it was started."""
        return None if self._process is None else self._process.pid

    def decode(
        self, data: bytes, limits: PictureLimits, check: Callable[[int, int], None]
    ) -> tuple[NDArray[np.uint8], int]:
        """The pixels (H, W, 3) RGB of a picture's first frame, and its EXIF orientation, which is not applied.

        Args:
            data: the picture.
            limits: of its decoder.
            check: gets height and width before the pixels are read; what it raises ends the decoder.

        Raises:
            UnknownFormatError: it is no picture.
            PictureError: it is damaged, or its decoder crashed or passed a limit.
            NoDecoderError: there is no process to decode it in.
        """
        with in_memory(data) as file, self._decoder(file.fileno(), limits) as answer:
            try:
                height, width, orientation = _header(answer, limits)
                check(height, width)
                height, width, _ = _header(answer, limits)
                pixels = read_exactly(answer, height * width * 3, limits.stall_seconds)
            except EndedError:
                raise PictureError("its decoder passed a limit of time or memory, or crashed") from None
            except TimeoutError:
                raise PictureError(f"its decoder did nothing for {limits.stall_seconds:g} s") from None
        return np.frombuffer(pixels, np.uint8).reshape(height, width, 3), orientation

    def close(self) -> None:
        """End the process; the next picture starts another."""
        with self._lock:
            self._end()

    @contextmanager
    def _decoder(self, file: int, limits: PictureLimits) -> Iterator[int]:
        """The pipe in which a decoder of the file answers; it is killed when the block ends."""
        answer, told = os.pipe()
        try:
            try:
                handle = self._begin([file, told], limits)
            finally:
                os.close(told)
            try:
                yield answer
            finally:
                _kill(handle)
        finally:
            os.close(answer)

    def _begin(self, descriptors: list[int], limits: PictureLimits) -> int:
        request = REQUEST.pack(limits.cpu_seconds, limits.memory_bytes, limits.max_pixels)
        with self._lock:
            for _ in range(2):
                try:
                    return self._asked(request, descriptors)
                except (OSError, EndedError):
                    # It was killed, or hangs: another one takes its place.
                    self._end()
        raise NoDecoderError

    def _asked(self, request: bytes, descriptors: list[int]) -> int:
        channel = self._channel or self._start()
        socket.send_fds(channel, [request], descriptors)
        said, [*handles], _, _ = socket.recv_fds(channel, 1, 1)
        if not said or not handles:
            raise EndedError
        return handles[0]

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(START_SECONDS)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(Path(picture_child.__file__)), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env={},
            )
        self._channel = ours
        return ours

    def _end(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _header(answer: int, limits: PictureLimits) -> tuple[int, int, int]:
    kind, first, second, third = HEADER.unpack(read_exactly(answer, HEADER.size, limits.stall_seconds))
    if kind == UNKNOWN:
        raise UnknownFormatError("it is no picture")
    if kind == DAMAGED:
        _damaged(answer, first, limits)
    if first < 0 or second < 0 or first * second > (limits.max_pixels if kind != SIZE else first * second):
        raise PictureError("its decoder answered nonsense")
    return first, second, third


def _damaged(answer: int, length: int, limits: PictureLimits) -> NoReturn:
    raise PictureError(read_exactly(answer, min(max(length, 0), 200), limits.stall_seconds).decode(errors="replace"))


def _kill(handle: int) -> None:
    try:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it has ended
    finally:
        os.close(handle)
