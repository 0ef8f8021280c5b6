"""`gaitkeeper train gait`, `weights release-gait` and `evaluate gait` on rendered walkers, one after the other."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli import main
from models.checkpoint import read_manifest
from tests.training.test_gait_sequences import folder as silhouettes  # noqa: F401

runner = CliRunner()


def run(*arguments: str) -> Result:
    return runner.invoke(main, list(arguments))


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights folder with a network that has seen a dozen walkers."""
    root = tmp_path_factory.mktemp("released")
    out, weights = str(root / "run"), root / "weights"
    weights.mkdir()
    trained = run("train", "gait", "--data", "synthetic:1:14", "--out", out, "--epochs", "1", "--held-out", "2")
    assert trained.exit_code == 0, trained.output
    given = ("--run", out, "--name", "tiny", "--calibrate", "synthetic:2:12", "--test", "synthetic:3:5")
    said = ("--licence", "Apache-2.0", "--trained-on", "walkers", "--commercial-use", "--weights-dir", str(weights))
    result = run("weights", "release-gait", *given, *said)
    assert result.exit_code == 0, result.output
    return weights


def test_a_release_names_its_walkers_and_its_interval(released: Path) -> None:
    checkpoint = read_manifest(released)["tiny"]

    assert list(checkpoint.measured) == ["synthetic:3:5, 5 walkers"]
    assert checkpoint.interval is not None
    assert checkpoint.interval.fitted_on == "synthetic:2:12, 12 walkers"
    assert checkpoint.commercial_use


def test_its_figures_are_printed_again(released: Path) -> None:
    result = run(
        "evaluate", "gait", "--data", "synthetic:3:5", "--model", "tiny", "--weights-dir", str(released), "--json"
    )

    assert result.exit_code == 0, result.output
    row = json.loads(result.output)["results"]["walkers"]
    (measured,) = read_manifest(released)["tiny"].measured.values()
    assert row == pytest.approx(measured, abs=1e-4)


def test_of_real_silhouettes_the_spread_of_ages_is_printed(released: Path, silhouettes: Path) -> None:  # noqa: F811
    result = run(
        "evaluate", "gait", "--data", str(silhouettes), "--model", "tiny", "--weights-dir", str(released), "--json"
    )

    rows = json.loads(result.output)["results"]
    assert set(rows) == {"view 00", "view 90"}
    assert rows["view 00"]["walks"] == 1
    assert 0 <= rows["view 00"]["50 % below, years"] <= 90


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--data", "synthetic:1"), "synthetic:SEED:COUNT"),
        (("--data", "nowhere"), "nowhere"),
        (("--data", "synthetic:1:3", "--input-size", "64"), "HEIGHTxWIDTH"),
        (("--data", "synthetic:1:3", "--held-out", "3"), "leaves none to train on"),
    ],
)
def test_what_cannot_be_trained_is_said_without_a_traceback(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    result = run("train", "gait", "--out", str(tmp_path), *arguments)

    assert result.exit_code == 1
    assert said in result.output
