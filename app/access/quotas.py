"""How much each caller may use in a minute, counted by the `limits` library over a sliding window."""

import math
import time
from dataclasses import dataclass

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter


@dataclass(frozen=True)
class QuotaLimits:
    """What one caller may use in a minute; 0 is no limit.

    Attributes:
        requests: of every kind but health.
        images: pictures to look at.
        kilobytes: of request bodies.
    """

    requests: int = 0
    images: int = 0
    kilobytes: int = 0


class QuotaExceededError(Exception):
    """A caller has used up what it may.

    Attributes:
        what: "requests", "images" or "kilobytes".
        limit: a minute.
        retry_after: seconds until something is free again.
    """

    def __init__(self, what: str, limit: int, retry_after: int) -> None:
        super().__init__(f"at most {limit} {what} a minute are allowed; try again in {retry_after} s")
        self.what, self.limit, self.retry_after = what, limit, retry_after


class Quotas:
    """Counts what callers use. The counts live in this process: two processes allow twice as much.

    Args:
        limits: the same for every caller.
    """

    def __init__(self, limits: QuotaLimits) -> None:
        self.limits = limits
        self._items = {what: RateLimitItemPerMinute(limit) for what, limit in vars(limits).items() if limit}
        self._window = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def spend(self, caller: str, what: str, amount: int = 1) -> None:
        """Count what a caller uses.

        Args:
            caller: its name.
            what: a field of `QuotaLimits`.
            amount: how much.

        Raises:
            QuotaExceededError: there is not so much left; nothing is counted then.
        """
        item = self._items.get(what)
        if item is None or amount == 0 or await self._window.hit(item, what, caller, cost=amount):
            return
        stats = await self._window.get_window_stats(item, what, caller)
        raise QuotaExceededError(what, item.amount, max(1, math.ceil(stats.reset_time - time.time())))
