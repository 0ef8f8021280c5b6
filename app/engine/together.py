"""Parts of one request that run side by side."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def together(*parts: Coroutine[Any, Any, T]) -> list[T]:
    """Run all parts; the first that fails, or a cancellation, ends the others, so that no work is left behind.

    Returns:
        Their results, in order.

    Raises:
        Exception: that of the first part that failed.
    """
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
