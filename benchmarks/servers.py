"""Server processes for benchmarks."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

MARK = "BENCHMARK_SERVER"
"""A variable in the environment of a server and of all that it starts."""


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@dataclass
class Served:
    """A server's process, with all that it starts.

    Attributes:
        process: the first one; it stops with SIGTERM, as every operator's tools end it.
        port: where it listens.
        mark: what its processes are known by.
        ready_path: answers once it is ready.
    """

    process: subprocess.Popen[bytes]
    port: int
    mark: str
    ready_path: str = "/readyz"

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def wait_until_ready(self) -> None:
        """Wait until it answers; raises RuntimeError if it ends instead."""
        while self.process.poll() is None:
            try:
                httpx.get(f"{self.url}{self.ready_path}", timeout=10).raise_for_status()
            except httpx.HTTPError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError(f"the server ended with exit code {self.process.returncode}")

    def megabytes(self) -> float:
        """Its resident memory, as it tells itself."""
        text = httpx.get(f"{self.url}/metrics", timeout=30).raise_for_status().text
        (found,) = re.findall(r"^process_resident_memory_bytes (\S+)", text, re.MULTILINE)
        return float(found) / 1e6

    def pss_megabytes(self) -> float:
        """Memory of all its processes; what several share counts once (PSS, Linux alone)."""
        return sum(_pss_bytes(pid) for pid in self.processes()) / 1e6

    def processes(self) -> list[int]:
        """The ids of all its processes."""
        wanted = f"{MARK}={self.mark}".encode()
        return [int(path.name) for path in Path("/proc").glob("[0-9]*") if wanted in _environment(path)]

    def stop(self) -> int:
        """Ask it to end; its exit code. What it leaves behind is killed."""
        self.process.terminate()
        try:
            code = self.process.wait(60)
        finally:
            for pid in self.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        return code


def start(data_dir: str, port: int, settings: Mapping[str, str]) -> Served:
    """Start Gaitkeeper, without waiting until it is ready."""
    environment = {f"GAITKEEPER_{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, "-c", "from app.cli import main; main()", "serve"]
    arguments = ["--port", str(port), "--data-dir", data_dir]
    return launch([*command, *arguments], port, {**environment, "GAITKEEPER_LOG_LEVEL": "error"})


def launch(command: Sequence[str], port: int, environment: Mapping[str, str], ready_path: str = "/readyz") -> Served:
    """Start a server, without waiting until it is ready."""
    mark = uuid.uuid4().hex
    process = subprocess.Popen(command, env={**os.environ, **environment, MARK: mark})
    return Served(process, port, mark, ready_path)


@contextlib.contextmanager
def ready(server: Served) -> Iterator[Served]:
    """The server once it is ready; it is stopped afterwards."""
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.stop()


def _environment(process: Path) -> bytes:
    # Processes of others cannot be read, and some end meanwhile.
    with contextlib.suppress(OSError):
        return (process / "environ").read_bytes()
    return b""


def _pss_bytes(pid: int) -> int:
    with contextlib.suppress(OSError):
        found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
        return 1024 * int(found[1]) if found else 0
    return 0
