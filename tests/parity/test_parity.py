"""The parity command, and what it says of the reference data."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.backbones.rga import RGAModule
from tests.conftest import SHARED
from tests.parity.__main__ import main
from tests.parity.build import outputs
from tests.parity.seeding import seed_weights, seeded_input
from tests.parity.suite import run_folder

VARIANTS = sorted(path.name for path in (SHARED / "reference" / "oracles").glob("*"))


@pytest.mark.shared
@pytest.mark.parametrize("variant", VARIANTS)
def test_we_agree_with_the_authors_code(shared: Path, variant: str) -> None:
    results = list(run_folder(shared / "reference" / "oracles" / variant))

    assert results
    assert [result for result in results if not result.passed] == []


def write_case(folder: Path, offset: int = 0, stride: int = 1) -> Path:
    """Write a small variant in the format of the reference data, with our own outputs as reference."""
    folder.mkdir(parents=True)
    network = RGAModule(16, 24)
    seed_weights(network, gain=1.0, damp={}, offset=offset)
    shape = (2, 16, 6, 4)
    out = outputs(network, seeded_input("tiny", shape, "normal", offset))["out"].numpy()
    stored: dict[str, Any] = {"out": out.ravel()[::stride] if stride > 1 else out}
    if stride > 1:
        stored |= {"out__chan_mean": out.mean(axis=(2, 3)), "out__chan_std": out.std(axis=(2, 3))}
        stored["out__chan_argmax"] = out.reshape(2, 16, -1).argmax(axis=2).astype(np.int32)
    np.savez(folder / "tiny.npz", **stored)
    details = {
        "shape": list(out.shape),
        "stats": {"std": float(out.std())},
        "stored": f"flat[::{stride}]" if stride > 1 else "full",
    }
    meta = {
        "gain": 1.0,
        "damp": {},
        "weight_seed_offset": offset,
        "input_kind": "normal",
        "cases": {"tiny": {"input_shape": shape, "outputs": {"out": details}}},
        "build": {"in_channel": 16, "in_spatial": 24, "use_spatial": True, "use_channel": True},
    }
    keys = [[name, list(t.shape), str(t.dtype).removeprefix("torch.")] for name, t in network.state_dict().items()]
    (folder / "meta.json").write_text(json.dumps(meta))
    (folder / "keys.json").write_text(json.dumps(keys))
    return folder


def change(path: Path, **arrays: NDArray[Any]) -> None:
    """Replace arrays of an npz file."""
    with np.load(path) as stored:
        np.savez(path, **{**stored, **arrays})


@pytest.mark.parametrize("stride", [1, 5])
@pytest.mark.parametrize("offset", [0, 1000])
def test_outputs_that_agree_pass_wherever_they_lie(tmp_path: Path, offset: int, stride: int) -> None:
    folder = write_case(tmp_path / "deep" / "variant", offset, stride)

    assert main([str(tmp_path)]) == 0
    assert main([str(folder)]) == 0


@pytest.mark.parametrize("array", ["out", "out__chan_mean", "out__chan_std"])
def test_an_output_that_is_off_fails(tmp_path: Path, array: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_case(tmp_path / "variant", stride=5) / "tiny.npz"
    with np.load(path) as stored:
        moved = stored[array].copy()
    moved.flat[-1] += 0.001
    change(path, **{array: moved})

    assert main([str(tmp_path)]) == 1
    (failed,) = [line for line in capsys.readouterr().out.splitlines() if line.endswith("FAILED")]
    assert failed.split()[1] == array


def test_another_peak_fails(tmp_path: Path) -> None:
    path = write_case(tmp_path / "variant", stride=5) / "tiny.npz"
    with np.load(path) as stored:
        change(path, out__chan_argmax=(stored["out__chan_argmax"] + 1) % 24)

    assert main([str(tmp_path)]) == 1


def test_an_output_that_is_not_a_number_fails(tmp_path: Path) -> None:
    path = write_case(tmp_path / "variant") / "tiny.npz"
    change(path, out=np.full((2, 16, 6, 4), np.nan, np.float32))

    assert main([str(tmp_path)]) == 1


@pytest.mark.parametrize("edit", ["rename", "reorder", "reshape", "drop"])
def test_other_keys_fail(tmp_path: Path, edit: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_case(tmp_path / "variant") / "keys.json"
    keys = json.loads(path.read_text())
    edited = {
        "rename": [["other", *keys[0][1:]], *keys[1:]],
        "reorder": [keys[1], keys[0], *keys[2:]],
        "reshape": [[keys[0][0], [1], keys[0][2]], *keys[1:]],
        "drop": keys[:-1],
    }
    path.write_text(json.dumps(edited[edit]))

    assert main([str(tmp_path)]) == 1
    (failed,) = [line for line in capsys.readouterr().out.splitlines() if line.endswith("FAILED")]
    assert failed.split()[1] == "state_dict"


@pytest.mark.parametrize("missing", ["keys.json", "tiny.npz"])
def test_a_broken_case_fails_alone(tmp_path: Path, missing: str, capsys: pytest.CaptureFixture[str]) -> None:
    (write_case(tmp_path / "broken") / missing).unlink()
    write_case(tmp_path / "sound")

    assert main([str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert f"{missing}" in printed
    assert printed.count("FAILED") == 1
    assert "  ok" in printed


def test_a_network_that_is_not_ours_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_case(tmp_path / "variant") / "meta.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"build": {"depth": 9}}))

    assert main([str(tmp_path)]) == 1
    assert "no network is built from {'depth': 9}" in capsys.readouterr().out


def test_a_directory_without_cases_is_no_success(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 2
    assert main([str(tmp_path / "nowhere")]) == 2
