"""Files that are made once and found again: checked when they are read, whole or absent."""

import contextlib
import hashlib
import logging
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger("gaitkeeper")

DIGEST_BYTES = hashlib.sha256().digest_size


class FileCache:
    """Bytes by key, in one file each that begins with the SHA-256 of the rest.

    Several processes may share a folder: files appear whole, by renaming. Where the folder cannot be written, all is
    made anew each time.

    Args:
        folder: where; made when it is needed. None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def fetch(self, key: str, make: Callable[[], bytes]) -> bytes:
        """The bytes of a key; `make` is called if they are not there, or not what was written.

        Args:
            key: letters, digits, "-", "_" and "."; a file name.
            make: gives the bytes; its errors are passed on.
        """
        if self._folder is None:
            return make()
        path = self._folder / key
        kept = _read(path)
        if kept is None:
            kept = make()
            _write(path, kept)
        return kept

    def forget(self, keys: re.Pattern[str], but: str) -> None:
        """Delete what nobody will ask for again: files whose whole key matches, but for those that begin with `but`."""
        if self._folder is None or not self._folder.is_dir():
            return
        for path in self._folder.iterdir():
            if keys.fullmatch(path.name) and not path.name.startswith(but):
                # Another process may be faster, or the folder read-only.
                with contextlib.suppress(OSError):
                    path.unlink()
                    log.info("%s is of another version and was deleted", path)


def _read(path: Path) -> bytes | None:
    try:
        stored = path.read_bytes()
    except OSError:
        return None
    digest, payload = stored[:DIGEST_BYTES], stored[DIGEST_BYTES:]
    if hashlib.sha256(payload).digest() == digest:
        return payload
    log.warning("%s is damaged and made anew", path)
    return None


def _write(path: Path, payload: bytes) -> None:
    unfinished = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(payload).digest())
            file.write(payload)
        Path(unfinished).replace(path)
    except OSError as error:
        log.warning("%s cannot be kept for the next start: %s", path, error.strerror)
        if unfinished is not None:
            with contextlib.suppress(OSError):
                Path(unfinished).unlink()
