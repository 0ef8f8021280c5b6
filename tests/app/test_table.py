"""Tables for people and for machines."""

import json
import math

import pytest

from app.commands.table import say_table

ROWS = {"a": {"queries": 12, "rank_1": 0.875, "MAE": 6.125}, "longer": {"queries": 3, "rank_1": math.nan, "CS(5)": 1.0}}


def test_fractions_are_percent_counts_are_whole_and_years_are_years(capsys: pytest.CaptureFixture[str]) -> None:
    say_table("what was read", ROWS)

    assert capsys.readouterr().out.splitlines() == [
        "what was read",
        "        queries  rank_1   MAE  CS(5)",
        "a            12    87.5  6.12      -",
        "longer        3       -     -  100.0",
    ]


def test_likenesses_are_written_in_their_own_units(capsys: pytest.CaptureFixture[str]) -> None:
    say_table("apart", {"a": {"cosine, lowest": 0.99242, "median pixels": 0.028, "median years": 1.0}})

    assert capsys.readouterr().out.splitlines()[-1].split() == ["a", "0.9924", "0.03", "1.00"]


def test_machines_get_fractions_and_null(capsys: pytest.CaptureFixture[str]) -> None:
    say_table("what was read", ROWS, as_json=True)

    assert json.loads(capsys.readouterr().out) == {
        "title": "what was read",
        "results": {**ROWS, "longer": {"queries": 3, "rank_1": None, "CS(5)": 1.0}},
    }
