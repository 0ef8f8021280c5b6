"""Backups: taken while the service runs, checked, and restored without bringing back the erased.

The file is the same wherever the galleries were kept: records and keys as SQLite files in an archive.
"""

import hashlib
import json
import os
import sqlite3
import time
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from app.gallery import audit
from app.gallery.audit import AuditEntry, BrokenChainError, Chain
from app.gallery.database import DATABASE_FILE, Database, DirectoryLock
from app.gallery.errors import GalleryError
from app.gallery.forgetting import forget
from app.gallery.logs import readable_log
from app.gallery.proof import Proven, prove
from app.gallery.remote import copy_to_files, fill
from app.gallery.watermark import check_mark, is_begun
from app.gallery.workspace import BACKUP, RESTORE, workspace

KEYS, CARD = "keys.sqlite", "backup.json"
FORMAT = 1
CHUNK = 1 << 20


class BackupError(Exception):
    """A backup cannot be made, or is not to be trusted."""


@dataclass(frozen=True)
class Card:
    """What a backup says of itself.

    Attributes:
        format: of the file.
        made_at: seconds since 1970.
        chain: of the audit trail at that moment.
        sha256: of each file in it.
    """

    format: int
    made_at: float
    chain: Chain
    sha256: dict[str, str]


def make_backup(data_dir: Path, file: Path, url: str | None = None) -> Card:
    """Copy the records and keys of a service, as they are at one moment; it may be using them.

    The file appears whole or not at all, and only its owner can read it.

    Args:
        data_dir: of the service.
        file: to be written.
        url: of its database, as SQLAlchemy takes it, if it has one; then nothing is read from `data_dir`.

    Raises:
        BackupError: there are no galleries, they are damaged, or there is such a file already.
        StorageFailure: the database cannot be read, or has lost changes.
    """
    if url is None:
        check_mark(data_dir / DATABASE_FILE)
        if not is_begun(data_dir / DATABASE_FILE):
            raise BackupError(f"there are no galleries in {data_dir}")
    if file.exists():
        raise BackupError(f"{file} is there already")
    with workspace(file.parent, BACKUP) as folder:
        if url is not None:
            data_dir = folder / "database"
            data_dir.mkdir()
            copy_to_files(url, data_dir / DATABASE_FILE, data_dir / KEYS)
        copies = [_copy(data_dir / name, folder / name) for name in (DATABASE_FILE, KEYS) if (data_dir / name).exists()]
        chain = _checked(copies[0])
        card = Card(FORMAT, time.time(), chain, {copy.name: _sha256(copy) for copy in copies})
        archive = folder / file.name
        with _private(archive) as packed, zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as zipped:
            zipped.writestr(CARD, json.dumps(asdict(card), indent=2))
            for copy in copies:
                zipped.write(copy, copy.name)
        _sync(archive)
        archive.rename(file)
        _sync(file.parent)
    return card


@dataclass(frozen=True)
class Restored:
    """What a restoration did.

    Attributes:
        galleries, shots: that are there now.
        forgotten: erasures since the backup that were carried out again.
        heeded: the last entry of the log, if there was one after the backup.
    """

    galleries: int
    shots: int
    forgotten: int
    heeded: AuditEntry | None = None


def restore_backup(file: Path, data_dir: Path, log: Path | str | None = None, url: str | None = None) -> Restored:
    """Put a backup into an empty data directory, or an empty database.

    Args:
        file: made by `make_backup`.
        data_dir: without galleries; made if it is not there.
        log: data directory or its file, or the URL of the database, that was in use after the backup, or its audit
            trail as it was printed: what was erased since is erased again, and the trail is kept.
        url: of the database to be filled, as SQLAlchemy takes it; then nothing stays in `data_dir`.

    Raises:
        BackupError: the backup or the log is damaged, they are not of the same service, or there are galleries already.
        StorageFailure: a database cannot be used, or has galleries already.
    """
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with closing(DirectoryLock(data_dir)):
        # A log or a mark that was left there would be taken for those of what is restored.
        if url is None and any(data_dir.glob(f"{DATABASE_FILE}*")):
            raise BackupError(f"{data_dir} has galleries; restore into an empty folder, and name this one with --log")
        with workspace(data_dir, RESTORE) as folder:
            card = _unpack(file, folder)
            later = _later(log, card.chain) if log is not None else []
            restored = _bring_up_to_date(folder / DATABASE_FILE, later)
            if url is not None:
                fill(url, folder / DATABASE_FILE, folder / KEYS if KEYS in card.sha256 else None)
                return restored
            for name in card.sha256:
                _sync(folder / name)
                (folder / name).rename(data_dir / name)
        _sync(data_dir)
    return restored


def _later(log: Path | str, chain: Chain) -> list[AuditEntry]:
    read = readable_log(log, chain)
    if read.broken is None:
        return read.entries
    # A URL may hold a password.
    name = "the log" if isinstance(log, str) else str(log)
    if isinstance(read.broken, BrokenChainError) and not read.entries:
        raise BackupError(f"{name} is not the continuation of what was backed up: {read.broken}")
    reason = f"the audit trail of {name} breaks off after entry {chain.entries + len(read.entries)}: {read.broken}"
    if not read.entries:
        raise BackupError(reason)
    advice = "`gaitkeeper audit show` prints what comes before; with that as --log, later erasures are not carried out"
    raise BackupError(f"{reason}; {advice}")


def _bring_up_to_date(path: Path, later: list[AuditEntry]) -> Restored:
    with _opened(path) as database:
        with database.write() as connection:
            forgotten = forget(connection, later)
            audit.continue_with(connection, later)
            audit.append(connection, audit.Deed(time.time(), "", "restore", None, None, {"forgotten": forgotten}))
        database.scrub()
        proven = _proven(database)
        return Restored(proven.galleries, proven.shots, forgotten, later[-1] if later else None)


def _unpack(file: Path, folder: Path) -> Card:
    try:
        with zipfile.ZipFile(file) as zipped:
            values = json.loads(zipped.read(CARD))
            card = Card(**values | {"chain": Chain(**values["chain"])})
            if card.format != FORMAT or not {DATABASE_FILE} <= set(card.sha256) <= {DATABASE_FILE, KEYS}:
                raise BackupError(f"{file} is a backup of another release")
            for name in card.sha256:
                with zipped.open(name) as packed, _private(folder / name) as unpacked:
                    while part := packed.read(CHUNK):
                        unpacked.write(part)
    except (OSError, zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        raise BackupError(f"{file} is no backup, or is damaged: {error}") from error
    for name, sha256 in card.sha256.items():
        if _sha256(folder / name) != sha256:
            raise BackupError(f"{name} in {file} is damaged: its SHA-256 is another")
    return card


def _copy(source: Path, target: Path) -> Path:
    """Copy a database that may be in use; the copy has no write-ahead log."""
    _private(target).close()
    try:
        with (
            closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as one,
            closing(sqlite3.connect(target)) as other,
        ):
            one.backup(other)
            other.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise BackupError(f"{source} cannot be read: {error}") from error
    return target


def _checked(path: Path) -> Chain:
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        [(found,)] = connection.execute("PRAGMA integrity_check(1)").fetchall()
    if found != "ok":
        raise BackupError(f"the records are damaged: {found}")
    with _opened(path) as database:
        return _proven(database).chain


def _proven(database: Database) -> Proven:
    try:
        with database.read() as connection:
            return prove(connection)
    except BrokenChainError as error:
        raise BackupError(f"the audit trail is broken: {error}") from error
    except GalleryError as error:
        raise BackupError(f"the records are damaged: {error}") from error


@contextmanager
def _opened(path: Path) -> Iterator[Database]:
    try:
        database = Database(f"sqlite:///{path}")
    except GalleryError as error:
        raise BackupError(str(error)) from error
    with closing(database):
        yield database


def _private(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
