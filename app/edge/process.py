"""What the service's process asks of Python and of the C library, for its memory and its threads."""

import ctypes
import gc
import sys
from typing import Any

ARENA_MAX = -8
"""Of glibc's `mallopt`."""
SWITCH_SECONDS = 0.0005


def begin() -> None:
    """To be called before other threads are started."""
    # A thread whose work is many short calls into torch waits this long for Python's lock after any of them.
    sys.setswitchinterval(SWITCH_SECONDS)
    # By default glibc keeps memory that was freed apart for each thread, up to eight times as many as cores.
    if hasattr(_c_library(), "mallopt"):
        _c_library().mallopt(ARENA_MAX, 1)


def settle() -> None:
    """To be called once everything is loaded: what is here by now stays."""
    gc.collect()
    # A full collection that went through all of it would halt every request.
    gc.freeze()
    if hasattr(_c_library(), "malloc_trim"):
        _c_library().malloc_trim(0)


def _c_library() -> Any:  # noqa: ANN401
    """The C library; functions that this one does not have are missing in it."""
    return ctypes.CDLL(None) if sys.platform != "win32" else None
