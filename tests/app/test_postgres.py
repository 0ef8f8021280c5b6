"""The service on PostgreSQL: galleries and keys are in the database, and come back after a restart."""

from pathlib import Path

import httpx
from typer.testing import CliRunner

from app.cli import main
from app.samples import sample_crops
from tests.app.conftest import start_server
from tests.app.gallery.postgres import postgres_server

JPEG = sample_crops(identities=1, cameras=1)[0].jpeg


def test_galleries_and_keys_are_in_the_database_of_the_url(tmp_path: Path) -> None:
    with postgres_server() as postgres:
        url = postgres.new_url().replace("+psycopg", "")
        made = CliRunner().invoke(main, ["keys", "create", "robot", "--scope", "admin", "--database-url", url])
        headers = {"X-API-Key": made.stdout.strip()}
        answers = []
        for folder in ("one", "two"):
            server = start_server(
                tmp_path / folder, database_url=url, pose_models="", gait_models="", log_level="error"
            )
            try:
                with server.client() as client:
                    client.headers.update(headers)
                    if folder == "one":
                        enrolled = client.post("/v1/galleries/default/identities/ann/shots", files={"image": JPEG})
                        assert enrolled.status_code == 201
                    answers.append(client.post("/v1/reid/query", files={"image": JPEG}).json()["identities"])
                assert httpx.get(f"{server.url}/v1/galleries").status_code == 401
            finally:
                server.terminate()

    assert [found["identity_id"] for found in answers[0]] == ["ann"]
    assert answers[1] == answers[0]
    assert not list(tmp_path.rglob("*.sqlite*"))
