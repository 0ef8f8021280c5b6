"""`python -m tests.fuzz`: a fuzzing campaign with a table of what came of it."""

import argparse
import sys

from app.commands.console import say
from tests.fuzz.campaign import run


def main() -> int:
    """Fuzz, print, and answer 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=0, help="processes; 0 is one a core")
    parser.add_argument("--only", default="", help="one reader")
    arguments = parser.parse_args()
    report = run(arguments.inputs, arguments.seed, arguments.workers, arguments.only)
    for name, counted in report.outcomes.items():
        say(f"{name:16} " + ", ".join(f"{count} {outcome}" for outcome, count in sorted(counted.items())))
    for finding in report.findings:
        say(f"\n{finding.target} {finding.index} (seed {finding.seed}):\n{finding.what}")
    tried = sum(counted.total() for counted in report.outcomes.values())
    say(f"{tried} inputs, {len(report.findings)} findings")
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
