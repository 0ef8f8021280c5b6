"""What goes to a child process and comes back from it."""

import os
import select
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

CHUNK = 1 << 20


class EndedError(Exception):
    """The other side is gone before it said all."""


@contextmanager
def in_memory(data: bytes) -> Iterator[IO[bytes]]:
    """A file that a child can open though it is in no folder: pictures of people do not touch a disk."""
    with os.fdopen(os.memfd_create("upload"), "w+b") as file:
        file.write(data)
        file.seek(0)
        yield file


def read_exactly(descriptor: int, size: int, patience_seconds: float) -> bytearray:
    """So many bytes of a pipe.

    Raises:
        EndedError: the other side closed it before.
        TimeoutError: the other side was silent for longer than that.
    """
    received = bytearray(size)
    rest = memoryview(received)
    # `select.select` knows no descriptor above 1023, which a server with many connections soon passes.
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    while rest:
        if not waiting.poll(1000 * patience_seconds):
            raise TimeoutError
        count = os.readv(descriptor, [rest[:CHUNK]])
        if not count:
            raise EndedError
        rest = rest[count:]
    return received
