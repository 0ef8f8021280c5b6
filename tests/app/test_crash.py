"""`kill -9` of the real server: what was acknowledged is there afterwards, and nothing else. `tests.crash` does it."""

from pathlib import Path

import pytest

from tests.app.conftest import start_server
from tests.crash.cycles import run_cycles


def test_a_killed_server_keeps_what_it_acknowledged() -> None:
    tally = run_cycles(cycles=6, seed=0)

    assert (tally.cycles, tally.acknowledged > 6) == (6, True)


@pytest.mark.slow
def test_a_server_killed_hundreds_of_times_keeps_what_it_acknowledged() -> None:
    assert run_cycles(cycles=200, seed=1000).cycles == 200


def test_a_terminated_server_exits_cleanly(tmp_path: Path) -> None:
    server = start_server(tmp_path, log_level="error")

    assert server.terminate() == 0
