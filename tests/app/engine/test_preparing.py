import threading
import time
from concurrent.futures import CancelledError

import pytest

from app.engine.preparing import FairExecutor
from app.engine.refusals import DeadlineError
from app.engine.terms import Terms, current_terms, set_terms
from app.telemetry.stages import collect_stages, record


class Held:
    """An executor of one thread that is held up until `release`."""

    def __init__(self) -> None:
        self.executor = FairExecutor(1, "test")
        self._began, self._gate = threading.Event(), threading.Event()
        self._holding = self.executor.submit(self._hold)
        self._began.wait()

    def _hold(self) -> None:
        self._began.set()
        self._gate.wait()

    def release(self) -> None:
        self._gate.set()
        self.executor.shutdown()


def test_calls_give_their_results_and_errors_to_those_who_wait() -> None:
    with FairExecutor(2, "test") as executor:
        sums = [executor.submit(sum, (number, 1)) for number in range(20)]
        failing = executor.submit(int, "x")

        assert [future.result() for future in sums] == list(range(1, 21))
        with pytest.raises(ValueError, match="invalid literal"):
            failing.result()


def test_a_small_request_does_not_wait_for_a_large_one() -> None:
    held, order = Held(), list[str]()
    set_terms(Terms("bulk client", bulk=True))
    for _ in range(20):
        held.executor.submit(order.append, "bulk")
    set_terms(Terms("robot"))
    held.executor.submit(order.append, "robot")

    held.release()

    assert order[0] == "robot"
    assert len(order) == 21


def test_cancelled_and_expired_work_is_dropped() -> None:
    held, done = Held(), list[str]()
    gone = held.executor.submit(done.append, "gone")
    gone.cancel()
    set_terms(Terms(deadline=time.monotonic() - 1))
    late = held.executor.submit(done.append, "late")
    set_terms(Terms())
    held.executor.submit(done.append, "stays")

    held.release()

    assert done == ["stays"]
    with pytest.raises(CancelledError):
        gone.result()
    with pytest.raises(DeadlineError):
        late.result()


def test_work_runs_in_the_context_of_its_request() -> None:
    terms = Terms("somebody")
    set_terms(terms)
    stages = collect_stages()

    with FairExecutor(1, "test") as executor:
        assert executor.submit(current_terms).result() is terms
        executor.submit(record, "decode", 1.0, 2.0).result()

    assert [stage.name for stage in stages] == ["decode"]


def test_a_shut_down_executor_refuses_work_and_can_drop_what_waits() -> None:
    held = Held()
    waiting = held.executor.submit(int)

    held.executor.shutdown(wait=False, cancel_futures=True)

    assert waiting.cancelled()
    with pytest.raises(RuntimeError):
        held.executor.submit(int)
    held.release()
