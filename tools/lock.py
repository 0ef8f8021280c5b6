"""Write requirements.lock and requirements-dev.lock from what is installed: exact pins of everything we need.

Run it in an environment where the tests have just passed: `python tools/lock.py`. Local build tags (`2.13.0+cpu`) are
dropped, and CUDA packages are left out because torch's own metadata pins them exactly.
"""

import sys
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
# The build back end, because the project is installed without build isolation (which would download it again).
ALWAYS = {"setuptools"}
BUNDLED_WITH_TORCH = ("nvidia-", "cuda-")


def closure(name: str, extras: set[str], found: set[str]) -> set[str]:
    """Every distribution that `name` needs here, itself left out."""
    for text in distribution(name).requires or []:
        requirement = Requirement(text)
        environments = [{"extra": extra} for extra in extras] or [{"extra": ""}]
        if requirement.marker and not any(requirement.marker.evaluate(e) for e in environments):
            continue
        needed = canonicalize_name(requirement.name)
        if needed not in found and needed != "triton" and not needed.startswith(BUNDLED_WITH_TORCH):
            found.add(needed)
            closure(needed, set(requirement.extras), found)
    return found


def pins(names: set[str]) -> str:
    """One `name==version` a line."""
    return "".join(f"{name}=={distribution(name).version.split('+')[0]}\n" for name in sorted(names))


def main() -> None:
    """Write both files."""
    runtime = closure("gaitkeeper", set(), set()) | ALWAYS
    development = closure("gaitkeeper", {"dev"}, set()) - runtime - {"gaitkeeper"}
    (ROOT / "requirements.lock").write_text(pins(runtime))
    (ROOT / "requirements-dev.lock").write_text(pins(development))
    sys.stdout.write(f"{len(runtime)} packages to run, {len(development)} more to develop\n")


if __name__ == "__main__":
    main()
