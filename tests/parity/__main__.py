"""`python -m tests.parity DIR`: check every case below a directory and print a table.

Exits with 1 if a case failed, and with 2 if there was none.
"""

import argparse
import sys
from pathlib import Path

from tests.parity.report import print_report
from tests.parity.suite import run_all


def main(arguments: list[str] | None = None) -> int:
    """Run the command with the given arguments and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.parity", description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path, help="a folder of oracles, or one variant's")
    return print_report(run_all(parser.parse_args(arguments).directory))


if __name__ == "__main__":
    sys.exit(main())
