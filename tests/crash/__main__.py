"""`python -m tests.crash --cycles 300`: kill a server at random moments under load, and look what it lost."""

import argparse
import sys
import time

from tests.crash.cycles import Tally, run_cycles


def main() -> None:
    """Run the cycles and print what was done."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--cycles", type=int, default=300, help="Servers to kill under load.")
    parser.add_argument("--seed", type=int, default=0, help="Of what is called, and when they are killed.")
    wanted = parser.parse_args()
    started = time.monotonic()

    def tell(tally: Tally) -> None:
        if tally.cycles % 10 == 0:
            sys.stderr.write(f"{tally.cycles} of {wanted.cycles} cycles, {time.monotonic() - started:.0f} s\n")

    tally = run_cycles(wanted.cycles, wanted.seed, tell)
    sys.stdout.write(
        f"{tally.cycles} servers killed under load and {tally.killed_at_start} while they started, in"
        f" {time.monotonic() - started:.0f} s: {tally.acknowledged} acknowledged changes, {tally.searches} searches"
        f" beside them, {tally.entries} entries in order in the audit trail; nothing lost, half there or back\n"
    )


if __name__ == "__main__":
    main()
