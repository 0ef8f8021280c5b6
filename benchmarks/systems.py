"""Gaitkeeper and other model servers, started alike for one job."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.samples import HEIGHT, WIDTH, sample_crops
from benchmarks.load import closed_loop, multipart
from benchmarks.peers.plain import Job
from benchmarks.servers import Served, launch, start
from benchmarks.weights import Fresh
from models.families import family_of

PYTHON = os.environ.get("PEERS_PYTHON", sys.executable)
JPEGS = [crop.jpeg for crop in sample_crops(8, 2)]
OURS = "Gaitkeeper"


@dataclass(frozen=True)
class Peer:
    """Another server.

    Attributes:
        module: what must be installed.
        arguments: of Python, which start it; with {port} in them.
        ready_path: answers once it is ready.
    """

    module: str
    arguments: Sequence[str]
    ready_path: str


PEERS = {
    "LitServe": Peer("litserve", ("-m", "benchmarks.peers.litserve_server"), "/health"),
    "BentoML": Peer(
        "bentoml",
        ("-m", "bentoml", "serve", "benchmarks.peers.bentoml_server:Front", "--host", "127.0.0.1", "--port", "{port}"),
        "/readyz",
    ),
    "Ray Serve": Peer("ray", ("-m", "benchmarks.peers.ray_server"), "/-/healthz"),
}


def installed() -> list[str]:
    """The peers that `PYTHON` has."""
    return [name for name, peer in PEERS.items() if _has(peer.module)]


def start_system(name: str, job: Job) -> Served:
    """Start a server for a job, without waiting until it is ready.

    Gaitkeeper keeps its exported networks beside the weights, so that later rounds start warm.
    """
    if name != OURS:
        peer = PEERS[name]
        arguments = [argument.format(port=job.port) for argument in peer.arguments]
        return launch([PYTHON, *arguments], job.port, _environment(job), peer.ready_path)
    settings = {
        "weights_dir": job.weights_dir,
        "gait_models": "",
        "runtime": job.runtime,
        "precision": job.precision,
        "threads": str(job.threads),
        "max_batch": str(job.max_batch),
        "leave_seconds": "0",
    }
    reid = "fresh" if job.task == "reid" else "tiny"
    pose = "fresh" if job.task == "pose" else ""
    return start(str(Path(job.weights_dir) / "data"), job.port, {**settings, "reid_model": reid, "pose_models": pose})


def requests_of(name: str, fresh: Fresh) -> list[bytes]:
    """Requests for one picture each; poses are asked for with the person's box."""
    if name != OURS:
        return multipart("/embed", JPEGS)
    if family_of(fresh.network).task == "pose":
        box = {"x1": 0, "y1": 0, "x2": WIDTH, "y2": HEIGHT}
        return multipart("/v1/pose", JPEGS, {"boxes": json.dumps([box])})
    return multipart("/v1/reid/embed", JPEGS)


def wait_until_it_serves(server: Served, requests: Sequence[bytes]) -> None:
    """Wait until requests are answered: some servers are ready before their networks are.

    Raises:
        RuntimeError: none is answered well in two minutes.
    """
    for _ in range(120):
        load = closed_loop(server.url, requests, 1, 0.1)
        if load.served:
            return
        time.sleep(1)
    raise RuntimeError(f"no request was answered well: {load.statuses}")


def _has(module: str) -> bool:
    program = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    return subprocess.run([PYTHON, "-c", program], check=False).returncode == 0


def _environment(job: Job) -> dict[str, str]:
    here = os.pathsep.join([str(path) for path in (Path.cwd(), os.environ.get("PYTHONPATH", "")) if path])
    quiet = {"BENTOML_DO_NOT_TRACK": "True", "RAY_USAGE_STATS_ENABLED": "0", "DO_NOT_TRACK": "1"}
    return {**job.environment(), **quiet, "PYTHONPATH": here, "OMP_NUM_THREADS": str(job.threads)}
