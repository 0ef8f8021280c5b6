"""The table that the parity command prints."""

import sys
from collections.abc import Iterable

from tests.parity.result import Result


def print_report(results: Iterable[Result]) -> int:
    """Print a row a result as it comes, then the tally.

    Returns:
        an exit code: 0 if all passed, 1 if one failed, 2 if there was none.
    """
    _line("case", "output", "error", "tolerance", "verdict")
    total = failed = 0
    for result in results:
        total += 1
        failed += not result.passed
        verdict = "ok" if result.passed else "FAILED"
        _line(result.case, result.output, f"{result.error:.1e}", f"{result.tolerance:.0e}", verdict)
    sys.stdout.write(
        f"{total - failed} of {total} passed; errors of networks are in standard deviations of the reference\n"
    )
    if not total:
        return 2
    return 1 if failed else 0


def _line(case: str, output: str, error: str, tolerance: str, verdict: str) -> None:
    sys.stdout.write(f"{case:<42} {output:<28} {error:>9} {tolerance:>9}  {verdict}\n")
    sys.stdout.flush()
