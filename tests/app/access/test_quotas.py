import asyncio

import pytest

from app.access.quotas import QuotaExceededError, QuotaLimits, Quotas


def test_callers_spend_their_own_quota() -> None:
    async def spend() -> QuotaExceededError:
        quotas = Quotas(QuotaLimits(requests=2))
        for caller in ("a", "a", "b"):
            await quotas.spend(caller, "requests")
        with pytest.raises(QuotaExceededError, match="at most 2 requests a minute") as caught:
            await quotas.spend("a", "requests")
        return caught.value

    assert 1 <= asyncio.run(spend()).retry_after <= 120


def test_what_does_not_fit_is_not_counted() -> None:
    async def spend() -> None:
        quotas = Quotas(QuotaLimits(images=10))
        with pytest.raises(QuotaExceededError):
            await quotas.spend("a", "images", 11)
        await quotas.spend("a", "images", 10)

    asyncio.run(spend())


def test_without_a_limit_everything_fits() -> None:
    async def spend() -> None:
        quotas = Quotas(QuotaLimits())
        await asyncio.gather(*(quotas.spend("a", "kilobytes", 10**9) for _ in range(10)))

    asyncio.run(spend())
