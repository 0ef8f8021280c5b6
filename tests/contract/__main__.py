"""`python -m tests.contract`: try the service against its own document, and print what came of it."""

import argparse
import sys
import tempfile
from pathlib import Path

from app.commands.console import say
from tests.app.conftest import start_server
from tests.contract.campaign import run


def main() -> int:
    """Try, print, and answer 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.contract", description=__doc__)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max-examples", type=int, default=100, help="random requests to an operation")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = start_server(Path(folder), max_images="8", log_level="error")
        try:
            report = run(server.url, arguments.seconds, arguments.seed, arguments.max_examples)
        finally:
            server.terminate()
    for finding in report.findings:
        say(f"\n{finding}")
    answers = ", ".join(f"{count} x {status}" for status, count in sorted(report.statuses.items()))
    say(f"{report.statuses.total()} requests to {len(report.operations)} operations: {answers}")
    say(f"{len(report.findings)} findings")
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
