"""A disk that refuses: the kernel answers chosen system calls of one thread with an error, as it would for a real one.

This is a filter of seccomp(2). SQLite, the C library and the file system are the real ones; what is not shown is what a
broken disk may do beside answering with an error.
"""

import ctypes
import platform
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")

NUMBERS = {
    "x86_64": {"fsync": 74, "fdatasync": 75, "pwrite64": 18, "ftruncate": 77, "fallocate": 285, "openat": 257},
    "aarch64": {"fsync": 82, "fdatasync": 83, "pwrite64": 68, "ftruncate": 46, "fallocate": 47, "openat": 56},
}
SYNCS = ("fsync", "fdatasync")
WRITES = ("pwrite64", "ftruncate", "fallocate")
OPENS = ("openat",)

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, MODE_FILTER = 22, 38, 2
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERROR = 0x7FFF0000, 0x00050000


class _Instruction(ctypes.Structure):
    _fields_ = (("code", ctypes.c_ushort), ("yes", ctypes.c_ubyte), ("no", ctypes.c_ubyte), ("value", ctypes.c_uint))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.POINTER(_Instruction)))


def with_broken_disk(calls: tuple[str, ...], error: int, work: Callable[[], T]) -> T:
    """What `work` returns, or raises, in a thread whose system calls of these names fail; skips where none can be."""
    numbers = NUMBERS.get(platform.machine())
    if sys.platform != "linux" or numbers is None:
        pytest.skip("system calls can be made to fail on Linux on x86_64 and aarch64 alone")
    results: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            _refuse([numbers[call] for call in calls], error)
            results.append(work())
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]


def _refuse(numbers: list[int], error: int) -> None:
    tests = [_Instruction(JUMP_IF_EQUAL, len(numbers) - at, 0, number) for at, number in enumerate(numbers)]
    outcomes = [_Instruction(RETURN, 0, 0, ALLOW), _Instruction(RETURN, 0, 0, ERROR | error)]
    instructions = [_Instruction(LOAD, 0, 0, 0), *tests, *outcomes]
    program = _Program(len(instructions), (_Instruction * len(instructions))(*instructions))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(program), 0, 0
    ):
        pytest.skip(f"the system allows no filters of system calls: errno {ctypes.get_errno()}")
