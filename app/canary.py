"""The canary: every network computes its golden sample again and again, and readiness is what came of it."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping

from app.engine.refusals import DeadlineError, OverloadedError
from app.engine.terms import Terms, set_terms

log = logging.getLogger("gaitkeeper")

Check = Callable[[], Awaitable[bool]]


class Canary:
    """Checks networks in the background.

    Args:
        checks: by network name; each says whether the golden sample came out right.
        every_seconds: between two checks of a network, and how long one may take.

    Attributes:
        problems: what is wrong, by network name; empty while all is well.
    """

    def __init__(self, checks: Mapping[str, Check], every_seconds: float) -> None:
        self._checks, self._every_seconds = checks, every_seconds
        self.problems: dict[str, str] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to check, on the current event loop."""
        self._tasks = [asyncio.create_task(self._watch(name), name=f"canary {name}") for name in self._checks]

    async def close(self) -> None:
        """Stop."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def readings(self) -> Iterable[tuple[tuple[str, ...], float]]:
        """1 or 0 by network: whether it is well."""
        return [((name,), float(name not in self.problems)) for name in self._checks]

    async def check(self, name: str) -> None:
        """Check one network now, and remember what came of it."""
        problem = await self._problem_of(name)
        if problem is None:
            return
        if problem and problem != self.problems.get(name):
            log.error("not ready: %s %s", name, problem)
        if not problem and name in self.problems:
            log.info("ready again: %s", name)
        self.problems.pop(name, None)
        if problem:
            self.problems[name] = problem

    async def _watch(self, name: str) -> None:
        while True:
            await asyncio.sleep(self._every_seconds)
            await self.check(name)

    async def _problem_of(self, name: str) -> str | None:
        """Empty if there is none; None if nothing was learnt."""
        set_terms(Terms("canary", deadline=time.monotonic() + self._every_seconds))
        try:
            async with asyncio.timeout(self._every_seconds):
                right = await self._checks[name]()
        except OverloadedError:
            return None  # busy is not broken
        except (TimeoutError, DeadlineError):
            return f"has not computed its golden sample within {self._every_seconds:g} s"
        except Exception as error:  # whatever a broken network raises is the reason to tell
            log.debug("canary of %s", name, exc_info=error)
            return f"cannot compute its golden sample ({type(error).__name__})"
        return "" if right else "does not reproduce its golden sample"
