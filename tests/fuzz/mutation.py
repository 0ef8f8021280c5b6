"""Inputs near valid ones."""

from collections.abc import Callable, Sequence

import numpy as np

Random = np.random.Generator
INTERESTING = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF]
MAX_CHANGES = 6
MAX_BYTES = 65_536


def mutant(seeds: Sequence[bytes], rng: Random) -> bytes:
    """One of the seeds with a few changes; now and then two of them joined, or nothing but chance."""
    if rng.random() < 0.02:
        return rng.bytes(int(rng.integers(0, 300)))
    data = bytearray(seeds[int(rng.integers(len(seeds)))])
    for _ in range(rng.integers(1, MAX_CHANGES + 1)):
        data = CHANGES[int(rng.integers(len(CHANGES)))](data, seeds, rng)
    return bytes(data[:MAX_BYTES])


def _place(data: bytearray, rng: Random) -> int:
    """Half of all changes are near the beginning, where formats keep their sizes."""
    end = min(len(data), 64) if rng.random() < 0.5 else len(data)
    return int(rng.integers(0, end + 1))


def _flip_bit(data: bytearray, seeds: Sequence[bytes], rng: Random) -> bytearray:
    if data:
        data[min(_place(data, rng), len(data) - 1)] ^= 1 << int(rng.integers(8))
    return data


def _set_number(data: bytearray, seeds: Sequence[bytes], rng: Random) -> bytearray:
    place, width = _place(data, rng), int(rng.choice([1, 2, 4]))
    value = INTERESTING[int(rng.integers(len(INTERESTING)))] & (256**width - 1)
    data[place : place + width] = value.to_bytes(width, "big" if rng.random() < 0.5 else "little")
    return data


def _cut_off(data: bytearray, seeds: Sequence[bytes], rng: Random) -> bytearray:
    return data[: int(rng.integers(0, len(data) + 1))]


def _take_out(data: bytearray, seeds: Sequence[bytes], rng: Random) -> bytearray:
    place = _place(data, rng)
    del data[place : place + int(rng.integers(1, 32))]
    return data


def _repeat(data: bytearray, seeds: Sequence[bytes], rng: Random) -> bytearray:
    place = _place(data, rng)
    data[place:place] = data[place : place + int(rng.integers(1, 200))] * int(rng.integers(1, 8))
    return data


def _insert_chance(data: bytearray, seeds: Sequence[bytes], rng: Random) -> bytearray:
    place = _place(data, rng)
    data[place:place] = rng.bytes(int(rng.integers(1, 16)))
    return data


def _splice(data: bytearray, seeds: Sequence[bytes], rng: Random) -> bytearray:
    other = seeds[int(rng.integers(len(seeds)))]
    return data[: _place(data, rng)] + other[int(rng.integers(0, len(other) + 1)) :]


CHANGES: list[Callable[[bytearray, Sequence[bytes], Random], bytearray]] = [
    _flip_bit,
    _set_number,
    _cut_off,
    _take_out,
    _repeat,
    _insert_chance,
    _splice,
]
