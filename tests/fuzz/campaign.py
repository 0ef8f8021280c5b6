"""Runs readers over many inputs, in processes that may die."""

import faulthandler
import logging
import multiprocessing
import os
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.fuzz.mutation import mutant
from tests.fuzz.targets import Target, targets

CHUNK = 250
SLOW_SECONDS = 5.0
HUNG_SECONDS = 120.0
"""A reader that takes longer ends its process, and is found as one that died."""


@dataclass(frozen=True)
class Finding:
    """An input that a reader neither read nor refused.

    Attributes:
        target, index, seed: make the input again, with `fuzz_input`.
        what: an exception with its trace, or how the process died.
    """

    target: str
    index: int
    seed: int
    what: str


@dataclass(frozen=True)
class Report:
    """Inputs by target and outcome ("read" or "refused"), and what went wrong."""

    outcomes: dict[str, Counter[str]]
    findings: list[Finding]


def fuzz_input(target: Target, index: int, seed: int) -> bytes:
    """The input of that number; the same every time."""
    return mutant(target.seeds, np.random.default_rng((seed, index)))


def run(inputs: int, seed: int = 0, workers: int = 0, only: str = "") -> Report:
    """Try that many inputs, shared among the readers by their weights."""
    chosen = {name: target for name, target in targets().items() if not only or name == only}
    total = sum(target.weight for target in chosen.values())
    outcomes = {name: Counter[str]() for name in chosen}
    findings: list[Finding] = []
    chunks = [
        (name, start, min(start + CHUNK, count), seed)
        for name, target in chosen.items()
        for count in [round(inputs * target.weight / total)]
        for start in range(0, count, CHUNK)
    ]
    for name, counted, found in _results(chunks, workers or os.cpu_count() or 1):
        outcomes[name] += counted
        findings += found
    return Report(outcomes, findings)


Chunk = tuple[str, int, int, int]
Outcome = tuple[str, Counter[str], list[Finding]]


def _results(chunks: list[Chunk], workers: int) -> Iterator[Outcome]:
    # The processes inherit it; FFmpeg and OpenCV say on standard error what is wrong with every video.
    os.environ.update(OPENCV_LOG_LEVEL="SILENT", OPENCV_FFMPEG_LOGLEVEL="-8")
    context = multiprocessing.get_context("spawn")
    waiting = list(chunks)
    while waiting:
        # One chunk at a time is blamed for a death: those that were handed out later are simply run again.
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            futures = {pool.submit(try_chunk, chunk): chunk for chunk in waiting}
            try:
                for future in as_completed(futures):
                    yield future.result()
                    waiting.remove(futures[future])
            except BrokenProcessPool:
                yield _narrow(waiting[0])
                waiting.pop(0)


def _narrow(chunk: Chunk) -> Outcome:
    """Run a chunk in a process of its own that notes where it is, to learn which input it dies of."""
    name, _, _, seed = chunk
    with tempfile.TemporaryDirectory() as folder:
        note = Path(folder) / "index"
        process = multiprocessing.get_context("spawn").Process(target=_noting, args=(chunk, str(note)))
        process.start()
        process.join()
        if process.exitcode == 0:
            return try_chunk(chunk)
        index = int(note.read_text())
    died = Finding(name, index, seed, f"the process died with exit code {process.exitcode}")
    return name, Counter(died=1), [died]


def _noting(chunk: Chunk, note: str) -> None:
    name, start, end, seed = chunk
    for index in range(start, end):
        Path(note).write_text(str(index))
        try_chunk((name, index, index + 1, seed))


def try_chunk(chunk: Chunk) -> Outcome:
    """Try the inputs from the first number up to the second."""
    name, start, end, seed = chunk
    # Parsers tell their troubles to logs and as warnings; here they are expected by the thousand.
    logging.disable()
    warnings.simplefilter("ignore")
    target, counted, findings = targets()[name], Counter[str](), []
    for index in range(start, end):
        data = fuzz_input(target, index, seed)
        began = time.perf_counter()
        faulthandler.dump_traceback_later(HUNG_SECONDS, exit=True)
        try:
            target.read(data)
            counted["read"] += 1
        except target.refusals:
            counted["refused"] += 1
        except Exception:
            findings.append(Finding(name, index, seed, traceback.format_exc()))
        faulthandler.cancel_dump_traceback_later()
        if time.perf_counter() - began > SLOW_SECONDS:
            findings.append(Finding(name, index, seed, f"took more than {SLOW_SECONDS} s"))
    return name, counted, findings
