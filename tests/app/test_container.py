"""What the container may do."""

import re

import pytest

from tests.app.forking import ROOT

COMPOSE = (ROOT / "docker-compose.yml").read_text()


@pytest.mark.parametrize(
    "line", ["read_only: true", "cap_drop: [ALL]", 'security_opt: ["no-new-privileges:true"]', "tmpfs: [/tmp]"]
)
def test_the_container_has_no_privileges(line: str) -> None:
    assert f"\n    {line}\n" in COMPOSE


def test_the_container_writes_to_its_volume_alone_and_is_published_on_loopback_alone() -> None:
    (volumes, ports) = (re.findall(rf"\n    {key}:\n((?:      - .*\n)+)", COMPOSE) for key in ("volumes", "ports"))

    assert volumes == ["      - gallery:/data\n"]
    assert ports == ['      - "127.0.0.1:8000:8000"\n']


def test_the_image_runs_as_nobody_special() -> None:
    users = re.findall(r"^USER (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)

    assert users == ["gaitkeeper"]
