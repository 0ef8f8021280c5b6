"""How far long work has come, where no terminal shows a bar."""

import pytest

from training.progress import watched


def test_a_line_is_printed_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    seconds = iter([0.0, 0.0, 4.0, 11.0, 12.0, 20.0, 35.0])

    seen = list(watched(["a", "b", "c", "d", "e", "f"], "reading [x]", lambda: next(seconds)))

    assert seen == ["a", "b", "c", "d", "e", "f"]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == ["reading [x]: 2 of 6", "reading [x]: 5 of 6"]


def test_work_that_is_soon_done_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(watched(range(1000), "counting")) == list(range(1000))
    assert capsys.readouterr().err == ""
