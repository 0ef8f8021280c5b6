"""`python -m benchmarks [NAME …]`: print measured ratios."""

import platform
import sys

import torch

from benchmarks import (
    batching,
    gait,
    latency,
    networks,
    overload,
    pictures,
    pose,
    rga,
    runtimes,
    search,
    serving,
    size,
    versus,
)

BENCHMARKS = {
    "batching": batching.run,
    "gait": gait.run,
    "latency": latency.run,
    "networks": networks.run,
    "overload": overload.run,
    "peers": versus.run,
    "pictures": pictures.run,
    "pose": pose.run,
    "rga": rga.run,
    "runtimes": runtimes.run,
    "search": search.run,
    "serving": serving.run,
    "size": size.run,
}


def main(names: list[str]) -> None:
    """Run the named benchmarks, or all."""
    sys.stdout.write(f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}\n")
    for name in names or BENCHMARKS:
        sys.stdout.write(f"\n== {name}\n")
        for line in BENCHMARKS[name]():
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
