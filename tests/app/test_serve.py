import os
import socket
import subprocess
import sys
from pathlib import Path

from tests.app.conftest import Server
from tests.app.forking import ROOT, run


def serve(data_dir: Path, errors: Path, *options: str, **settings: str) -> tuple[int, str]:
    """The exit code and standard error of a server that is not to start."""
    return run(["serve", "--data-dir", str(data_dir), *options], os.environ | settings, errors)


def test_a_taken_port_is_told_before_networks_load(server: Server, tmp_path: Path) -> None:
    code, said = serve(tmp_path / "data", tmp_path / "errors", "--port", server.url.rpartition(":")[2])

    assert code != 0
    assert "address already in use" in said.lower()
    assert "Traceback" not in said
    assert not (tmp_path / "data").exists()


def test_a_data_directory_in_use_is_told_in_one_line(tmp_path: Path, server: Server) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])

    code, said = serve(server.data_dir, tmp_path / "errors", "--port", port)

    assert code == 1
    assert "another process uses the galleries" in said.splitlines()[-1]
    assert "Traceback" not in said


def test_an_unknown_checkpoint_is_told_in_one_line(tmp_path: Path) -> None:
    code, said = serve(tmp_path, tmp_path / "errors", "--port", "0", GAITKEEPER_REID_MODEL="nope")

    assert code == 1
    assert "no reid checkpoint 'nope'" in said
    assert "Traceback" not in said


def test_an_address_that_strangers_reach_is_refused_without_keys(tmp_path: Path) -> None:
    """By the command as users start it, in a process of its own from the first line on."""
    command = [sys.executable, "-c", "from app.cli import main; main()", "serve", "--data-dir", str(tmp_path)]
    options = ["--port", "0", "--host", "0.0.0.0"]
    result = subprocess.run(command + options, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)

    assert result.returncode == 1
    assert "keys create" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr
