"""`gaitkeeper enroll` and `query` against a running server."""

import json
import uuid
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner, Result

from app.cli import main
from app.samples import sample_crops
from tests.app.conftest import Server

CROPS = sample_crops(identities=3, cameras=3)
runner = CliRunner()


@pytest.fixture
def gallery(client: httpx.Client) -> str:
    """The name of an empty gallery of one's own."""
    name = f"g-{uuid.uuid4().hex}"
    client.post("/v1/galleries", json={"name": name}).raise_for_status()
    return name


def call(command: str, path: Path, server: Server, gallery: str, *options: str) -> Result:
    return runner.invoke(main, [command, str(path), "--url", server.url, "--gallery", gallery, *options])


def test_folders_of_people_are_enrolled_once_and_found(server: Server, gallery: str, tmp_path: Path) -> None:
    for crop in CROPS[:8]:
        folder = tmp_path / crop.identity
        folder.mkdir(exist_ok=True)
        (folder / f"{crop.camera}.jpg").write_bytes(crop.jpeg)
    (tmp_path / "query.png").write_bytes(CROPS[4].jpeg)

    first = call("enroll", tmp_path, server, gallery, "--json")
    again = call("enroll", tmp_path, server, gallery)
    found = call("query", tmp_path / "query.png", server, gallery, "--json", "--target-fpir", "0.05")

    assert (first.exit_code, json.loads(first.stdout)["skipped"]) == (0, [str(tmp_path / "query.png")])
    assert f"warning: {tmp_path / 'query.png'} does not say who it shows" in again.stderr
    assert (json.loads(first.stdout)["created"], json.loads(first.stdout)["people"]) == (8, 3)
    assert "0 shots created, 8 there already, 0 refused" in again.stdout
    answer = json.loads(found.stdout)
    assert (answer["identities"][0]["identity_id"], answer["target_fpir"]) == (CROPS[4].identity, 0.05)
    assert found.exit_code == {"match": 0, "unknown": 2}[answer["decision"]]


def test_names_of_people_become_ids_and_labels(
    server: Server, client: httpx.Client, gallery: str, tmp_path: Path
) -> None:
    for crop, name in zip(CROPS[::3], ("John Smith", "person é 107", "anna"), strict=True):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").write_bytes(crop.jpeg)

    result = call("enroll", tmp_path, server, gallery)

    assert (result.exit_code, result.stdout.splitlines()[0].split(":")[0]) == (0, f"3 people in gallery {gallery!r}")
    people = client.get(f"/v1/galleries/{gallery}/identities").json()["identities"]
    assert [(one["identity_id"], one["label"]) for one in people] == [
        ("John-Smith-ef61a579", "John Smith"),
        ("anna", None),
        ("person-e-107-39fa7ed4", "person é 107"),
    ]


def test_of_many_pictures_without_a_name_a_few_are_told(
    server: Server, client: httpx.Client, gallery: str, tmp_path: Path
) -> None:
    for number in range(9):
        (tmp_path / f"-1_c{number}.jpg").write_bytes(CROPS[0].jpeg)
    (tmp_path / "0002_c1.jpg").write_bytes(CROPS[0].jpeg)

    result = call("enroll", tmp_path, server, gallery, "--json")

    warnings = result.stderr.splitlines()
    assert (result.exit_code, len(warnings), len(json.loads(result.stdout)["skipped"])) == (0, 6, 9)
    assert warnings[-1].startswith("warning: 4 others")


def test_a_gallery_is_made_when_that_is_asked_for(server: Server, client: httpx.Client, tmp_path: Path) -> None:
    (tmp_path / "0001_c1.jpg").write_bytes(CROPS[0].jpeg)
    name = f"g-{uuid.uuid4().hex}"

    without = call("enroll", tmp_path, server, name)
    made, again = (call("enroll", tmp_path, server, name, "--create") for _ in range(2))
    misnamed = call("enroll", tmp_path, server, "my gallery", "--create")

    assert (without.exit_code, "--create" in without.stderr) == (1, True)
    assert (made.exit_code, again.exit_code) == (0, 0)
    assert "1 shots created" in made.stdout
    assert client.get(f"/v1/galleries/{name}").json()["shots"] == 1
    assert misnamed.exit_code == 1
    assert "beginning with a letter or digit" in misnamed.stderr


def test_names_like_market_s_say_person_and_camera(server: Server, gallery: str, tmp_path: Path) -> None:
    (tmp_path / "0002_c3s1_000451_03.jpg").write_bytes(CROPS[0].jpeg)
    (tmp_path / "0007_c1s1_000001_01.jpg").write_bytes(b"no picture")

    result = call("enroll", tmp_path, server, gallery)
    shown = call("query", tmp_path / "0002_c3s1_000451_03.jpg", server, gallery)

    assert result.exit_code == 1
    assert "0007_c1s1_000001_01.jpg: " in result.stdout
    assert "1 shots created, 0 there already, 1 refused" in result.stdout
    assert shown.stdout.splitlines()[0].startswith("match (resnet18-market1501-compact")
    assert "0002" in shown.stdout
    assert shown.stdout.splitlines()[2].endswith("c3")


def test_somebody_unknown_has_an_exit_code_of_their_own(server: Server, gallery: str, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(CROPS[0].jpeg)

    assert call("query", tmp_path / "a.jpg", server, gallery).exit_code == 2


@pytest.mark.parametrize("command", ["enroll", "query"])
def test_a_server_that_refuses_or_is_not_there_is_an_error_in_words(
    server: Server, tmp_path: Path, command: str
) -> None:
    (tmp_path / "0001_c1.jpg").write_bytes(CROPS[0].jpeg)
    path = tmp_path if command == "enroll" else tmp_path / "0001_c1.jpg"

    unknown = call(command, path, server, "nowhere")
    absent = runner.invoke(main, [command, str(path), "--url", "http://127.0.0.1:9"])

    assert (unknown.exit_code, absent.exit_code) == (1, 1)
    assert "there is no gallery 'nowhere'" in unknown.stderr
    assert "no answer from http://127.0.0.1:9" in absent.stderr


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    assert "has no pictures" in runner.invoke(main, ["enroll", str(tmp_path)]).stderr
    assert "is not a folder" in runner.invoke(main, ["enroll", str(tmp_path / "none")]).stderr
