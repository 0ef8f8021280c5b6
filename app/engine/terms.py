"""On what terms a request is served: for whom, how urgently, and until when."""

import math
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Terms:
    """What the queues need to know of a request.

    Attributes:
        caller: who asks; callers take turns.
        bulk: many items at once; goes after interactive requests.
        deadline: reading of `time.monotonic` after which nobody wants the answer.
    """

    caller: str = ""
    bulk: bool = False
    deadline: float = math.inf


ANYBODY = Terms()

_current: ContextVar[Terms] = ContextVar("terms", default=ANYBODY)

# The terms of the request that the running task or thread works for.
current_terms = _current.get
set_terms = _current.set
