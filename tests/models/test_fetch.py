import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.fetch import BrowserNeededError, FetchError, fetch, needs_browser
from tests.models.site import Site, serve

DATA = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def site() -> Iterator[Site]:
    with serve(Site(DATA)) as running:
        yield running


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "downloads" / "file.pth"


def left_beside(path: Path) -> set[str]:
    return {file.name for file in path.parent.iterdir()} if path.parent.exists() else set()


def test_a_file_is_downloaded_and_nothing_is_left_beside_it(site: Site, path: Path) -> None:
    fetch(f"{site.url}/file.pth", path, SHA256)

    assert path.read_bytes() == DATA
    assert left_beside(path) == {"file.pth"}


def test_progress_rises_to_the_whole_length(site: Site, path: Path) -> None:
    seen: list[tuple[int, int | None]] = []

    fetch(f"{site.url}/file.pth", path, SHA256, progress=lambda done, total: seen.append((done, total)))

    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert (seen[0], seen[-1]) == ((0, len(DATA)), (len(DATA), len(DATA)))


def test_the_first_digits_of_a_hash_are_checked_if_no_more_are_known(site: Site, tmp_path: Path) -> None:
    fetch(f"{site.url}/file.pth", tmp_path / "a", SHA256[:8].upper())

    with pytest.raises(FetchError, match="not 00000000"):
        fetch(f"{site.url}/file.pth", tmp_path / "b", "00000000")


def test_a_file_with_a_wrong_hash_is_deleted(site: Site, path: Path) -> None:
    with pytest.raises(FetchError, match=rf"has sha256 {SHA256}, not {'0' * 64}"):
        fetch(f"{site.url}/file.pth", path, "0" * 64)

    assert left_beside(path) == set()


def test_without_a_hash_nothing_is_downloaded(site: Site, path: Path) -> None:
    with pytest.raises(ValueError, match="without a hash"):
        fetch(f"{site.url}/file.pth", path, "")

    assert site.requests == []


def test_a_file_that_is_there_and_right_is_not_downloaded_again(site: Site, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(DATA)

    fetch(f"{site.url}/file.pth", path, SHA256, offline=True)

    assert site.requests == []


def test_a_file_that_is_there_and_wrong_is_replaced(site: Site, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"something else")

    fetch(f"{site.url}/file.pth", path, SHA256)

    assert path.read_bytes() == DATA


def test_offline_mode_connects_to_nobody(site: Site, path: Path) -> None:
    with pytest.raises(FetchError, match="offline mode"):
        fetch(f"{site.url}/file.pth", path, SHA256, offline=True)

    assert site.requests == []


def test_a_broken_connection_goes_on_where_it_stopped(site: Site, path: Path) -> None:
    site.cuts = [100_000, 150_000]

    fetch(f"{site.url}/file.pth", path, SHA256)

    assert path.read_bytes() == DATA
    assert site.asked_for("Range") == [None, "bytes=100000-", "bytes=250000-"]
    assert site.asked_for("If-Range") == [None, '"v1"', '"v1"']


def test_a_download_that_gave_up_goes_on_in_the_next_call(site: Site, path: Path) -> None:
    site.cuts = [100_000, 0]
    with pytest.raises(FetchError, match="100000 bytes are kept"):
        fetch(f"{site.url}/file.pth", path, SHA256)
    assert left_beside(path) == {"file.pth.part", "file.pth.part.json"}

    fetch(f"{site.url}/file.pth", path, SHA256)

    assert path.read_bytes() == DATA
    assert site.asked_for("Range")[-1] == "bytes=100000-"
    assert left_beside(path) == {"file.pth"}


def test_a_file_that_changed_meanwhile_is_downloaded_from_its_beginning(site: Site, path: Path) -> None:
    site.cuts, site.data = [100_000, 0], DATA[::-1]
    with pytest.raises(FetchError):
        fetch(f"{site.url}/file.pth", path, SHA256)
    site.data, site.etag = DATA, '"v2"'

    fetch(f"{site.url}/file.pth", path, SHA256)

    assert path.read_bytes() == DATA


def test_a_date_serves_as_version_where_the_tag_is_weak(site: Site, path: Path) -> None:
    site.etag, site.last_modified, site.cuts = 'W/"v1"', "Wed, 21 Oct 2015 07:28:00 GMT", [100_000]

    fetch(f"{site.url}/file.pth", path, SHA256)

    assert site.asked_for("If-Range") == [None, "Wed, 21 Oct 2015 07:28:00 GMT"]


def test_a_server_without_versions_is_resumed_and_the_hash_decides(site: Site, path: Path) -> None:
    site.etag, site.cuts = "", [100_000]

    fetch(f"{site.url}/file.pth", path, SHA256)

    assert path.read_bytes() == DATA
    assert site.asked_for("Range") == [None, "bytes=100000-"]


def test_a_server_without_ranges_sends_all_again(site: Site, path: Path) -> None:
    site.ranges, site.cuts = False, [100_000]

    fetch(f"{site.url}/file.pth", path, SHA256)

    assert path.read_bytes() == DATA


def test_a_server_that_always_breaks_is_given_up(site: Site, path: Path) -> None:
    site.ranges, site.cuts = False, [50_000] * 20

    with pytest.raises(FetchError, match="the same command goes on there"):
        fetch(f"{site.url}/file.pth", path, SHA256)

    assert len(site.requests) == 2
    assert not path.exists()


def test_a_file_of_unknown_length_that_was_cut_off_is_noticed(site: Site, path: Path) -> None:
    site.length_known, site.cuts = False, [100_000]

    with pytest.raises(FetchError, match="has sha256"):
        fetch(f"{site.url}/file.pth", path, SHA256)

    assert left_beside(path) == set()


@pytest.mark.parametrize("extra", [b"", b"too much"], ids=["whole", "too long"])
def test_a_finished_part_is_only_verified_and_a_longer_one_is_dropped(site: Site, path: Path, extra: bytes) -> None:
    path.parent.mkdir()
    path.with_name("file.pth.part").write_bytes(DATA + extra)
    path.with_name("file.pth.part.json").write_text(f'{{"url": "{site.url}/file.pth", "version": ""}}')

    fetch(f"{site.url}/file.pth", path, SHA256)

    assert path.read_bytes() == DATA
    assert len(site.requests) == (2 if extra else 1)


@pytest.mark.parametrize("about", ['{"url": "http://elsewhere/", "version": ""}', "[]", "no json", ""])
def test_a_part_of_another_address_is_dropped(site: Site, path: Path, about: str) -> None:
    path.parent.mkdir()
    path.with_name("file.pth.part").write_bytes(b"of another file")
    path.with_name("file.pth.part.json").write_text(about)

    fetch(f"{site.url}/file.pth", path, SHA256)

    assert path.read_bytes() == DATA
    assert site.asked_for("Range") == [None]


def test_redirects_are_followed(site: Site, path: Path) -> None:
    site.moved = {"/release": "/storage/file.pth"}

    fetch(f"{site.url}/release", path, SHA256)

    assert [requested for requested, _ in site.requests] == ["/release", "/storage/file.pth"]


def test_a_redirect_to_another_kind_of_address_is_refused(site: Site, path: Path) -> None:
    site.moved = {"/release": "file:///etc/passwd"}

    with pytest.raises(FetchError, match="protocol"):
        fetch(f"{site.url}/release", path, SHA256)

    assert not path.exists()


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_an_error_of_the_server_is_named(site: Site, path: Path, status: int) -> None:
    site.status = status

    with pytest.raises(FetchError, match=f"answers {status}"):
        fetch(f"{site.url}/file.pth", path, SHA256)

    assert left_beside(path) == set()


def test_a_web_page_is_no_file(site: Site, path: Path) -> None:
    site.content_type = "text/html; charset=utf-8"

    with pytest.raises(BrowserNeededError, match="web page"):
        fetch(f"{site.url}/file.pth", path, SHA256)


@pytest.mark.parametrize(
    ("url", "needed"),
    [
        ("https://drive.google.com/file/d/1x7/view", True),
        ("https://1drv.ms/u/s!Aus8", True),
        ("https://github.com/a/b/releases/download/v0/drive.google.com.pth", False),
        ("https://notdrive.google.com.example.org/file", False),
    ],
)
def test_hosts_that_only_serve_browsers_are_known(url: str, needed: bool, path: Path) -> None:
    assert needs_browser(url) == needed
    if needed:
        with pytest.raises(BrowserNeededError):
            fetch(url, path, SHA256)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/file", "checkpoint.pth", "http://", "http://[", ""])
def test_addresses_that_are_not_http_are_refused(url: str, path: Path) -> None:
    with pytest.raises(FetchError, match=r"no .*address"):
        fetch(url, path, SHA256)


def test_a_server_that_is_not_there_is_an_error(path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]

    with pytest.raises(FetchError, match="refused"):
        fetch(f"http://127.0.0.1:{port}/file.pth", path, SHA256)


def test_the_proxy_of_the_environment_is_used(site: Site, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", site.url)

    fetch("http://weights.invalid/file.pth", path, SHA256)

    assert [requested for requested, _ in site.requests] == ["http://weights.invalid/file.pth"]


def test_hosts_without_proxy_are_asked_directly(site: Site, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    fetch(f"{site.url}/file.pth", path, SHA256)

    assert path.read_bytes() == DATA
