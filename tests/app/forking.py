"""`gaitkeeper` commands that start at once: forked from a process that has imported everything already.

Importing takes each command seconds of a core, and the tests start dozens of servers. Run as a module, it reads lines
of JSON, `{"run": arguments, "environment": …, "errors": path}` or `{"ended": pid}`, and answers with a process's id or
its exit code, null while it runs.
"""

import atexit
import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Forked:
    """A running command, with what tests use of `subprocess.Popen`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, -9 if it was killed; None while it runs."""
        if self.returncode is None:
            self.returncode = _ask({"ended": self.pid})
        return self.returncode

    def wait(self, seconds: float = 120) -> int:
        """Wait for the exit code.

        Raises:
            TimeoutError: it still runs.
        """
        until = time.monotonic() + seconds
        while self.poll() is None:
            if time.monotonic() > until:
                raise TimeoutError(f"process {self.pid} still runs after {seconds} seconds")
            time.sleep(0.02)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it without asking."""
        self.send_signal(signal.SIGKILL)


def start(arguments: Sequence[str], environment: Mapping[str, str], errors: Path | None = None) -> Forked:
    """Run `gaitkeeper` with arguments.

    Args:
        arguments: after the command's name.
        environment: all of it.
        errors: file for standard error; None leaves it where the tests' own goes.
    """
    order = {"run": list(arguments), "environment": dict(environment), "errors": errors and str(errors)}
    pid = _ask(order)
    assert pid is not None
    return Forked(pid)


def run(arguments: Sequence[str], environment: Mapping[str, str], errors: Path) -> tuple[int, str]:
    """Run `gaitkeeper` to its end: exit code, standard error."""
    code = start(arguments, environment, errors).wait()
    return code, errors.read_text()


def _ask(order: Mapping[str, object]) -> int | None:
    parent = _parent()
    assert parent.stdin is not None
    assert parent.stdout is not None
    parent.stdin.write(json.dumps(order) + "\n")
    parent.stdin.flush()
    answer: int | None = json.loads(parent.stdout.readline())
    return answer


@functools.cache
def _parent() -> subprocess.Popen[str]:
    """What commands are forked from, one for each process that runs tests."""
    # Threads would not survive a fork.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.app.forking"]
    parent = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def end() -> None:
        parent.communicate()

    atexit.register(end)
    return parent


def main() -> None:
    """Serve as the module says."""
    # What every command would spend seconds on.
    import app.edge.server
    import app.main  # noqa: F401
    from app.cli import main as gaitkeeper

    for line in sys.stdin:
        order = json.loads(line)
        if "ended" in order:
            _answer(_exit_code(order["ended"]))
            continue
        process = os.fork()
        if process == 0:
            _be_alone(order["environment"], order["errors"])
            gaitkeeper(order["run"])
        _answer(process)


def _exit_code(process: int) -> int | None:
    done, status = os.waitpid(process, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done else None


def _be_alone(environment: Mapping[str, str], errors: str | None) -> None:
    """Leave the pipes to the parent, and take over what the command is given."""
    if errors is not None:
        with Path(errors).open("wb") as file:
            os.dup2(file.fileno(), 2)
    with Path(os.devnull).open("r+b") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(nothing.fileno(), 1)
    os.environ.clear()
    os.environ.update(environment)


def _answer(number: int | None) -> None:
    sys.stdout.write(json.dumps(number) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
