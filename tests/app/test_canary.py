import asyncio
from collections.abc import Callable

import pytest

from app.canary import Canary
from app.engine.refusals import DeadlineError, OverloadedError


class Network:
    """A golden check that gives what it is told to."""

    def __init__(self) -> None:
        self.outcome: bool | Exception | None = True

    async def check(self) -> bool:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        if self.outcome is None:
            await asyncio.Event().wait()
        return bool(self.outcome)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - the canary tells nobody, it is asked
        await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    ("outcome", "problem"),
    [
        (False, "does not reproduce its golden sample"),
        (None, "has not computed its golden sample within 0.02 s"),
        (DeadlineError(), "has not computed its golden sample within 0.02 s"),
        (RuntimeError("CUDA error"), "cannot compute its golden sample (RuntimeError)"),
    ],
    ids=["wrong", "hung", "late", "raises"],
)
def test_a_broken_network_is_told_with_its_reason_until_it_is_well(
    outcome: bool | Exception | None, problem: str
) -> None:
    network = Network()
    canary = Canary({"net": network.check}, every_seconds=0.02)

    async def main() -> list[dict[str, str]]:
        seen = []
        for network.outcome in (True, outcome, True):
            await canary.check("net")
            seen.append(dict(canary.problems))
        return seen

    assert asyncio.run(main()) == [{}, {"net": problem}, {}]


def test_a_busy_network_is_neither_well_nor_ill() -> None:
    network = Network()
    canary = Canary({"net": network.check}, every_seconds=1)

    async def main() -> list[bool]:
        seen = []
        for network.outcome in (OverloadedError(1), False, OverloadedError(1)):
            await canary.check("net")
            seen.append("net" in canary.problems)
        return seen

    assert asyncio.run(main()) == [False, True, True]


def test_networks_are_checked_again_and_again_and_apart_from_each_other() -> None:
    well, hung = Network(), Network()
    hung.outcome = None

    async def main() -> list[tuple[tuple[str, ...], float]]:
        canary = Canary({"well": well.check, "hung": hung.check}, every_seconds=0.005)
        canary.start()
        await until(lambda: "hung" in canary.problems)
        readings = list(canary.readings())
        well.outcome = False
        await until(lambda: "well" in canary.problems)
        await canary.close()
        return readings

    assert asyncio.run(main()) == [(("well",), 1.0), (("hung",), 0.0)]
