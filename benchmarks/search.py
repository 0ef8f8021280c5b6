"""Search through the API against raw FAISS in process: 20,000 shots of 2,500 identities, the query an embedding."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import faiss
import httpx
import numpy as np
from numpy.typing import NDArray

from app.gallery.domain import NewShot
from app.gallery.gallery import GalleryStore
from app.runtime import DEFAULT_GALLERY
from app.settings import Settings
from benchmarks.timing import compare
from models.checkpoint import bundled_weights_dir, read_manifest

IDENTITIES, SHOTS_EACH, LIMIT = 2500, 8, 10


def run() -> Iterator[str]:
    """Yield the lines of the report."""
    with tempfile.TemporaryDirectory() as folder:
        embeddings, seconds = _fill(Path(folder))
        flat = faiss.IndexFlatIP(embeddings.shape[1])
        flat.add(embeddings)
        yield f"{len(embeddings)} shots x {embeddings.shape[1]}, enrolled in {seconds:.1f} s"
        started = time.perf_counter()
        with _server(Path(folder)) as url, httpx.Client(base_url=url) as client:
            yield f"ready {time.perf_counter() - started:.1f} s after the start of the process"
            query = embeddings[17]
            body = {"embedding": query.tolist(), "limit": LIMIT}

            def through_api() -> float:
                answer = client.post("/v1/reid/query", json=body).raise_for_status().json()
                return float(answer["timings_ms"]["search"])

            def raw() -> object:
                return flat.search(query[None], LIMIT)

            inside = float(np.median([through_api() for _ in range(50)]))
            measured = compare(through_api, raw, rounds=15, calls=20)
            empty = compare(lambda: client.get("/healthz"), raw, rounds=15, calls=20)
        yield f"raw FAISS flat search       {1000 * measured.b:7.2f} ms"
        yield f"query through the API       {1000 * measured.a:7.2f} ms, {measured.ratio:.2f} times raw"
        yield f"of it in the gallery        {inside:7.2f} ms (identities, labels, best shots)"
        yield f"an empty HTTP round trip    {1000 * empty.a:7.2f} ms"
        yield f"overhead of one query       {1000 * (measured.a - measured.b):7.2f} ms"


def _fill(folder: Path) -> tuple[NDArray[np.float32], float]:
    checkpoint = read_manifest(_weights_dir())[Settings().reid_model]
    golden = np.load(_weights_dir() / "golden" / f"{checkpoint.name}.npy")
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((IDENTITIES, 1, golden.size))
    rows = (centres + 0.5 * rng.standard_normal((IDENTITIES, SHOTS_EACH, golden.size))).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=2, keepdims=True)
    store = GalleryStore.open(folder)
    store.create(DEFAULT_GALLERY, checkpoint.sha256, golden.size)
    started = time.perf_counter()
    for identity, shots in enumerate(rows):
        store.enrol(DEFAULT_GALLERY, f"p-{identity}", [NewShot(shot) for shot in shots], checkpoint.sha256)
    seconds = time.perf_counter() - started
    store.close()
    return rows.reshape(-1, golden.size), seconds


def _weights_dir() -> Path:
    return Settings().weights_dir or bundled_weights_dir()


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", "from app.cli import main; main()", "serve"]
    arguments = ["--port", str(port), "--data-dir", str(folder)]
    process = subprocess.Popen(command + arguments, env=os.environ | {"GAITKEEPER_LOG_LEVEL": "error"})
    url = f"http://127.0.0.1:{port}"
    try:
        while process.poll() is None:
            try:
                httpx.get(f"{url}/readyz", timeout=10).raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait()
