"""Where a request's time goes: each stage notes when it began and ended."""

from collections.abc import Sequence
from contextvars import ContextVar
from typing import NamedTuple


class Stage(NamedTuple):
    """One stretch of work for a request; times are readings of `time.perf_counter`.

    Attributes:
        batch_size: items that ran together, for a forward pass.
    """

    name: str
    started: float
    ended: float
    batch_size: int = 0


_stages: ContextVar[list[Stage] | None] = ContextVar("stages", default=None)


def collect_stages() -> list[Stage]:
    """Begin to collect the stages of the running task, and of all that it starts, in the returned list."""
    stages: list[Stage] = []
    _stages.set(stages)
    return stages


def record(name: str, started: float, ended: float, batch_size: int = 0) -> None:
    """Note a stage of the current request, if somebody collects them."""
    stages = _stages.get()
    if stages is not None:
        stages.append(Stage(name, started, ended, batch_size))


def slowest(stages: Sequence[Stage]) -> dict[str, float]:
    """Seconds by stage; of parallel work, the slowest."""
    seconds: dict[str, float] = {}
    for stage in stages:
        seconds[stage.name] = max(seconds.get(stage.name, 0.0), stage.ended - stage.started)
    return seconds
