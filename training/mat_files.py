"""Numbers out of MATLAB files, level 5 (versions 5 to 7), in which MPII's ground truth is published.

The format is that of "MAT-File Format" by The MathWorks, chapter 1. Files of version 7.3 are HDF5 and are not read.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEADER_BYTES = 128
MATRIX, COMPRESSED = 14, 15
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
NUMERIC_CLASSES = range(6, 16)  # double to uint64; the others hold text, cells and objects
COMPLEX_FLAG = 0x0800


def read_mat(path: Path) -> dict[str, NDArray[Any]]:
    """Read the real numeric arrays of a file by name; everything else in it is passed over.

    Raises:
        ValueError: the file is missing, damaged, or of another format.
    """
    try:
        data = path.read_bytes()
        if data[126:128] not in (b"IM", b"MI") or data.startswith(b"MATLAB 7.3"):
            raise ValueError("it is no MATLAB file of version 5 to 7")
        order = "<" if data[126:128] == b"IM" else ">"
        return dict(_arrays(data[HEADER_BYTES:], order))
    except (OSError, ValueError, struct.error, zlib.error) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


def _arrays(data: bytes, order: str) -> Iterator[tuple[str, NDArray[Any]]]:
    for kind, content in _elements(data, order):
        if kind == COMPRESSED:
            yield from _arrays(zlib.decompress(content), order)
        elif kind == MATRIX:
            yield from _matrix(content, order)


def _matrix(data: bytes, order: str) -> Iterator[tuple[str, NDArray[Any]]]:
    parts = _elements(data, order)
    flags = struct.unpack(f"{order}I", next(parts)[1][:4])[0]
    if flags & 0xFF not in NUMERIC_CLASSES or flags & COMPLEX_FLAG:
        return
    size = np.frombuffer(next(parts)[1], f"{order}i4")
    name = next(parts)[1].decode("ascii")
    kind, content = next(parts)
    numbers = np.frombuffer(content, f"{order}{NUMBERS[kind]}")
    yield name, numbers.reshape(size, order="F")


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Type and content of one element after the other."""
    at = 0
    while at + 8 <= len(data):
        kind, length = struct.unpack_from(f"{order}II", data, at)
        if kind >> 16:  # up to four bytes lie within the tag
            length, kind = kind >> 16, kind & 0xFFFF
            yield kind, data[at + 4 : at + 4 + length]
            at += 8
            continue
        content = data[at + 8 : at + 8 + length]
        if len(content) < length:
            raise ValueError("it is cut off")
        yield kind, content
        # Only compressed elements are not padded to eight bytes.
        at += 8 + (length if kind == COMPRESSED else -(-length // 8) * 8)
