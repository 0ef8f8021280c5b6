"""Every call of a server that README and docs show, with curl or in Python, made against a real one."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.samples import sample_crops
from gaitkeeper import Client
from tests.app.conftest import Server, start_server
from tests.app.forking import ROOT
from tests.app.pictures import encode, pattern
from tests.app.walks import gei_picture, video, zipped_walk

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHOWN_AT = re.compile(r"(?:http://)?(?:localhost|127\.0\.0\.1):8000")
# A command goes on where a line ends with a backslash.
CURL = re.compile(r"^curl (?:.*\\\n)*.*$", re.MULTILINE)


def blocks(language: str) -> dict[str, str]:
    """Code of the pages by page and line."""
    found = {}
    for page in PAGES:
        text = page.read_text()
        for match in re.finditer(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            line = text.count("\n", 0, match.start()) + 1
            found[f"{page.relative_to(ROOT)}:{line}"] = match.group(1)
    return found


CURLS = {place: "\n".join(calls) for place, code in blocks("sh").items() if (calls := CURL.findall(code))}
PYTHON = {place: code for place, code in blocks("python").items() if SHOWN_AT.search(code)}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with people in its default gallery, as the pages assume."""
    running = start_server(tmp_path_factory.mktemp("shown"), log_level="error")
    with Client(running.url) as client:
        for crop in sample_crops(identities=12, cameras=3):
            client.enrol(crop.identity, [crop.jpeg], camera=crop.camera)
    yield running
    running.terminate()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the calls send."""
    folder = tmp_path_factory.mktemp("files")
    for name, crop in zip(("anna-1", "anna-2", "unknown"), sample_crops(1, 3), strict=True):
        (folder / f"{name}.jpg").write_bytes(crop.jpeg)
    for name in ("a", "b", "street"):
        (folder / f"{name}.jpg").write_bytes(encode(pattern(480, 360), "JPEG"))
    (folder / "walk.zip").write_bytes(zipped_walk())
    (folder / "gei.png").write_bytes(gei_picture())
    (folder / "door.mp4").write_bytes(video(folder / "door.avi"))
    return folder


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("place", CURLS)
def test_every_shown_call_with_curl_succeeds(place: str, shown: Server, files: Path) -> None:
    script = SHOWN_AT.sub(shown.url, CURLS[place]).replace("curl ", "curl -sS --fail-with-body ")

    result = subprocess.run(["sh", "-ec", script], cwd=files, capture_output=True)

    assert result.returncode == 0, (result.stdout[-1000:], result.stderr)


@pytest.mark.parametrize("place", PYTHON)
def test_every_shown_call_in_python_succeeds(place: str, shown: Server, files: Path) -> None:
    # Some clients want an address without a scheme; it is kept as it is shown.
    code = PYTHON[place].replace("127.0.0.1:8000", shown.url.removeprefix("http://"))

    result = subprocess.run([sys.executable, "-c", code], cwd=files, capture_output=True, text=True)

    assert result.returncode == 0, result.stderr


def test_there_are_calls_in_both_languages() -> None:
    assert len(CURLS) >= 8
    assert len(PYTHON) >= 3
