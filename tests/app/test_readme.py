"""The README's own commands, run against a real server."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from app.samples import sample_crops
from app.settings import Settings
from tests.app.conftest import Server
from tests.app.forking import ROOT

README = (ROOT / "README.md").read_text()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_first_example_answers_as_shown(server: Server, tmp_path: Path) -> None:
    for name, crop in zip(("anna-1", "anna-2", "unknown"), sample_crops(1, 3), strict=True):
        (tmp_path / f"{name}.jpg").write_bytes(crop.jpeg)
    commands, *_ = re.findall(r"```sh\n(curl .*?)```", README, re.DOTALL)
    (shown,) = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    script = commands.replace("http://127.0.0.1:8000", server.url).replace("curl ", "curl -sS ")

    result = subprocess.run(["sh", "-ec", script], cwd=tmp_path, capture_output=True, text=True, check=True)

    answer = json.loads(result.stdout[result.stdout.rindex('{"model"') :])
    example = json.loads(shown)
    assert answer.keys() == example.keys()
    assert answer["identities"][0].keys() == example["identities"][0].keys()
    assert answer["identities"][0]["identity_id"] == "anna"


def test_every_setting_that_is_named_exists() -> None:
    (section,) = re.findall(r"## Settings\n(.*?)\n## ", README, re.DOTALL)

    named = {name.lower() for name in re.findall(r"`([A-Z_]{4,})`", section)}

    assert named
    assert named <= set(Settings.model_fields)


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()

    for target in set(re.findall(r"make ([a-z-]+)", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_linked_file_exists() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
