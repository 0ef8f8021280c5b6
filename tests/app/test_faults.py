"""What a server says and does when its records cannot be trusted or written."""

import os
import resource
from pathlib import Path

import numpy as np
import pytest

from app.samples import sample_crops
from tests.app.conftest import start_server
from tests.app.forking import run

JPEGS = [crop.jpeg for crop in sample_crops(identities=2, cameras=2)]
PEOPLE = "/v1/galleries/default/identities"


def spoil(file: Path) -> None:
    file.write_bytes(b"this was a database once" * 200)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gallery.sqlite3", "the records cannot be used: file is not a database"),
        ("keys.sqlite", "the API keys cannot be used: file is not a database"),
    ],
)
def test_a_start_with_damaged_records_fails_with_one_line(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / name).write_bytes(b"this was a database once" * 200)
    command = ["serve", "--port", "0", "--data-dir", str(tmp_path)]

    code, said = run(command, os.environ | {"GAITKEEPER_LOG_LEVEL": "error"}, tmp_path / "errors")

    assert code != 0
    assert said.splitlines() == [f"error: {message}"]


def test_a_server_whose_disk_takes_no_more_still_answers_and_goes_on_afterwards(tmp_path: Path) -> None:
    """The process is forbidden to make files longer, which is what a full disk is to it; and later allowed again."""
    server = start_server(tmp_path, pose_models="", gait_models="", log_level="error")
    try:
        with server.client() as client:
            client.post(f"{PEOPLE}/ann/shots", files={"image": JPEGS[0]}).raise_for_status()
            before = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (1, before[1]))

            refused = client.post(f"{PEOPLE}/bob/shots", files={"image": JPEGS[2]})
            kept = client.delete(f"{PEOPLE}/ann")
            found = client.post("/v1/reid/query", files={"image": JPEGS[0]}).json()["identities"]

            for answer in (refused, kept):
                assert (answer.status_code, answer.json()["type"]) == (503, "/problems/storage-failure")
            assert [identity["identity_id"] for identity in found] == ["ann"]
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, before)
            assert client.post(f"{PEOPLE}/bob/shots", files={"image": JPEGS[2]}).status_code == 201
            assert client.delete(f"{PEOPLE}/ann").status_code == 200
            assert [identity["identity_id"] for identity in client.get(PEOPLE).json()["identities"]] == ["bob"]
    finally:
        server.terminate()


def test_a_killed_server_whose_log_was_damaged_since_does_not_start_with_what_is_left(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    server = start_server(data_dir, pose_models="", gait_models="", log_level="error")
    embeddings = np.eye(5, 384, dtype=np.float32)
    with server.client() as client:
        for number, embedding in enumerate(embeddings):
            body = {"embedding": embedding.tolist()}
            client.post(f"{PEOPLE}/p{number}/shots", json=body).raise_for_status()
    server.kill()
    log = data_dir / "gallery.sqlite3-wal"
    content = bytearray(log.read_bytes())
    content[content.index(embeddings[3].tobytes())] ^= 1
    log.write_bytes(content)

    command = ["serve", "--port", "0", "--data-dir", str(data_dir)]
    code, said = run(command, os.environ | {"GAITKEEPER_LOG_LEVEL": "error"}, tmp_path / "errors")

    assert code != 0
    (line,) = said.splitlines()
    assert line.startswith("error: ")
    assert "changes or queries lost: 2" in line
    assert bytes(content) == log.read_bytes()
