"""Downloads a file entirely and verified, or not at all; what was interrupted goes on where it stopped."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

import httpx

from models.checkpoint import sha256_of

# (bytes so far, bytes in all if the server said so)
Progress: TypeAlias = Callable[[int, int | None], None]

# These hosts answer programs with web pages, so their files need a browser.
BROWSER_HOSTS = ("drive.google.com", "docs.google.com", "1drv.ms", "onedrive.live.com", "pan.baidu.com")
ATTEMPTS = 10
TIMEOUT = httpx.Timeout(30.0)


class FetchError(Exception):
    """A file cannot be downloaded, or is not the one that was wanted."""


class BrowserNeededError(FetchError):
    """What is behind an address is a web page that leads to the file."""


def needs_browser(url: str) -> bool:
    """Whether only a person with a browser can download from this address."""
    host = urlsplit(url).hostname or ""
    return any(host == known or host.endswith(f".{known}") for known in BROWSER_HOSTS)


def fetch(url: str, path: Path, sha256: str, offline: bool = False, progress: Progress | None = None) -> None:
    """Download a file, through the proxy of the environment if there is one.

    An interrupted download stays beside `path` as `.part` and goes on where it stopped, if the server can and still
    has the same file. The file appears under its own name only once its hash is right.

    Args:
        url: http or https.
        path: where to put it.
        sha256: of the file, or the first digits of it; never empty.
        offline: refuse instead of connecting; a file that is already there is still checked.
        progress: told after each piece.

    Raises:
        BrowserNeededError: a web page is behind the address.
        FetchError: nothing is behind it, the connection broke, or the hash is wrong.
        ValueError: `sha256` is empty.
        OSError: the file cannot be written.
    """
    if not sha256:
        raise ValueError("without a hash there is nothing to verify a download with")
    if path.is_file() and sha256_of(path).startswith(sha256.lower()):
        return
    _require_plain(url)
    if offline:
        raise FetchError(f"offline mode is on, so {url} is not fetched")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _Partial(path, url)
    if partial.version() is None:
        partial.remove()
    with httpx.Client(follow_redirects=True, timeout=TIMEOUT) as client:
        _download(client, partial, progress or _ignore)
    actual = sha256_of(partial.data)
    if not actual.startswith(sha256.lower()):
        partial.remove()
        raise FetchError(f"{url} has sha256 {actual}, not {sha256}; what was downloaded is deleted")
    partial.data.replace(path)
    partial.remove()


@dataclass(frozen=True)
class _Partial:
    """What has been downloaded of a file, and what the server calls this version of it."""

    path: Path
    url: str

    @property
    def data(self) -> Path:
        return self.path.with_name(f"{self.path.name}.part")

    @property
    def about(self) -> Path:
        return self.path.with_name(f"{self.path.name}.part.json")

    def size(self) -> int:
        return self.data.stat().st_size if self.data.is_file() else 0

    def version(self) -> str | None:
        """What the server called it, empty if it did not; None if this is not known to be of the same address."""
        try:
            about = json.loads(self.about.read_text())
            return str(about["version"]) if about["url"] == self.url else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def begin(self, version: str) -> None:
        self.about.write_text(json.dumps({"url": self.url, "version": version}))

    def remove(self) -> None:
        self.data.unlink(missing_ok=True)
        self.about.unlink(missing_ok=True)


def _require_plain(url: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise FetchError(f"{url!r} is no address: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise FetchError(f"{url!r} is no http or https address")
    if needs_browser(url):
        raise BrowserNeededError(f"{url} can be downloaded in a browser only")


def _download(client: httpx.Client, partial: _Partial, progress: Progress) -> None:
    """Go on as long as each attempt brings the download further."""
    reason = "the server has another file each time"
    for _ in range(ATTEMPTS):
        before = partial.size()
        try:
            if _attempt(client, partial, progress):
                return
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            if not before < partial.size():
                break
    raise FetchError(f"{partial.url}: {reason}; {partial.size()} bytes are kept, and the same command goes on there")


def _attempt(client: httpx.Client, partial: _Partial, progress: Progress) -> bool:
    """Ask for what is missing; False if what is here turned out to be useless and was discarded."""
    start = partial.size()
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if version := partial.version():
            headers["If-Range"] = version
    with client.stream("GET", partial.url, headers=headers) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and start:
            return _is_whole(response, start) or _discard(partial)
        if response.status_code == httpx.codes.PARTIAL_CONTENT and start:
            if not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                return _discard(partial)
        elif response.status_code == httpx.codes.OK:
            _refuse_page(response, partial.url)
            start = 0
            partial.remove()
            partial.begin(_version(response))
        else:
            raise FetchError(f"{partial.url} answers {response.status_code} {response.reason_phrase}".rstrip())
        _receive(response, partial.data, start, progress)
    return True


def _receive(response: httpx.Response, path: Path, start: int, progress: Progress) -> None:
    length = response.headers.get("Content-Length", "")
    total = start + int(length) if length.isdecimal() else None
    with path.open("ab" if start else "wb") as file:
        progress(start, total)
        for piece in response.iter_raw():
            file.write(piece)
            start += len(piece)
            progress(start, total)
        file.flush()
        os.fsync(file.fileno())


def _version(response: httpx.Response) -> str:
    """A strong validator, as RFC 9110 (13.1.5) wants it for If-Range."""
    etag: str = response.headers.get("ETag", "")
    modified: str = response.headers.get("Last-Modified", "")
    return etag if etag and not etag.startswith("W/") else modified


def _is_whole(response: httpx.Response, size: int) -> bool:
    return bool(response.headers.get("Content-Range") == f"bytes */{size}")


def _discard(partial: _Partial) -> bool:
    partial.remove()
    return False


def _refuse_page(response: httpx.Response, url: str) -> None:
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise BrowserNeededError(f"{url} answers with a web page, no file")


def _ignore(done: int, total: int | None) -> None:
    del done, total
