"""When a request is sent again, and how long to wait before."""

import random
from dataclasses import dataclass

REFUSED = frozenset({429, 503})
"""Statuses of requests that were not begun: any of them may be sent again."""
BROKEN = frozenset({502, 504})
"""Statuses of requests that may have been carried out: only what does no harm twice is sent again."""


@dataclass(frozen=True)
class Retry:
    """Growing pauses with full jitter, so that many clients do not come back together.

    Attributes:
        attempts: how often a request is sent at most; 1 never repeats.
        first_seconds: the longest first pause; each further one may be twice as long.
        longest_seconds: no pause is longer; a server that asks for more is not waited for.
    """

    attempts: int = 4
    first_seconds: float = 0.2
    longest_seconds: float = 10.0

    def pause(self, attempt: int, asked_for: float | None) -> float | None:
        """Seconds to wait after a failed attempt (1 is the first), or None to give up.

        Args:
            attempt: how many have failed.
            asked_for: the server's `Retry-After` in seconds, the least to wait.
        """
        if attempt >= self.attempts or (asked_for or 0) > self.longest_seconds:
            return None
        grown = min(self.longest_seconds, self.first_seconds * 2 ** (attempt - 1))
        return (asked_for or 0.0) + random.uniform(0, grown)
