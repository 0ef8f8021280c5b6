"""Why work is not done: the reasons a queue gives."""

from typing import Literal

Reason = Literal["count", "bytes", "age", "client"]


class OverloadedError(Exception):
    """More work waits than is allowed.

    Attributes:
        limit: the bound that was met.
        reason: "count" of items, "bytes", "age" (it would wait, or has waited, too long), or "client" (one caller's
            share of the count).
        retry_after: seconds until it is worth another try.
    """

    def __init__(self, limit: float, reason: Reason = "count", retry_after: float = 1.0) -> None:
        super().__init__(f"{reason}: {limit:g} is the limit")
        self.limit, self.reason, self.retry_after = limit, reason, retry_after


class DeadlineError(Exception):
    """The request's deadline passed before its work was done."""


class ClosedError(Exception):
    """The service is closing."""


class MachineError(Exception):
    """The machine failed, not an item: trying the parts of the batch would not help."""
