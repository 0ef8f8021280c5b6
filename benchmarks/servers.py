"""Server processes for benchmarks."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

import httpx


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@dataclass
class Served:
    """A `gaitkeeper serve` process; it stops with SIGTERM, as every operator's tools end it."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def wait_until_ready(self) -> None:
        """Wait until it answers; raises RuntimeError if it ends instead."""
        while self.process.poll() is None:
            try:
                httpx.get(f"{self.url}/readyz", timeout=10).raise_for_status()
            except httpx.HTTPError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError(f"the server ended with exit code {self.process.returncode}")

    def megabytes(self) -> float:
        """Its resident memory."""
        text = httpx.get(f"{self.url}/metrics", timeout=30).raise_for_status().text
        (found,) = re.findall(r"^process_resident_memory_bytes (\S+)", text, re.MULTILINE)
        return float(found) / 1e6

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        self.process.terminate()
        return self.process.wait()


def start(data_dir: str, port: int, settings: Mapping[str, str]) -> Served:
    """Start a server, without waiting until it is ready."""
    environment = os.environ | {f"GAITKEEPER_{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, "-c", "from app.cli import main; main()", "serve"]
    arguments = ["--port", str(port), "--data-dir", data_dir]
    return Served(subprocess.Popen(command + arguments, env=environment | {"GAITKEEPER_LOG_LEVEL": "error"}), port)
