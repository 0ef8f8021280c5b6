import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.app.conftest import ROOT, Server


def serve(tmp_path: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", "from app.cli import main; main()", "serve", "--data-dir", str(tmp_path), *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_a_taken_port_is_told_before_networks_load(server: Server, tmp_path: Path) -> None:
    result = serve(tmp_path, "--port", server.url.rpartition(":")[2])

    assert result.returncode != 0
    assert "address already in use" in result.stderr.lower()
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_data_directory_in_use_is_told_in_one_line(tmp_path: Path, server: Server) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])

    result = serve(Path(server.data_dir), "--port", port)

    assert result.returncode == 1
    assert "another process uses the galleries" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


def test_an_unknown_checkpoint_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAITKEEPER_REID_MODEL", "nope")

    result = serve(tmp_path, "--port", "0")

    assert result.returncode == 1
    assert "no reid checkpoint 'nope'" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_address_that_strangers_reach_is_refused_without_keys(tmp_path: Path) -> None:
    result = serve(tmp_path, "--port", "0", "--host", "0.0.0.0")

    assert result.returncode == 1
    assert "keys create" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr
