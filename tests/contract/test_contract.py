import os

import httpx

from tests.app.conftest import Server
from tests.contract.campaign import run

SECONDS = int(os.environ.get("GAITKEEPER_CONTRACT_SECONDS", "30"))


def test_the_service_does_what_its_document_says(stranger: Server) -> None:
    report = run(stranger.url, SECONDS, max_examples=5)

    assert report.findings == []
    assert not [status for status in report.statuses if status >= 500]
    assert {200, 404, 422} <= set(report.statuses)


def test_the_examples_of_bodies_work_in_order(stranger: Server) -> None:
    schemas = httpx.get(f"{stranger.url}/openapi.json").json()["components"]["schemas"]
    example = {name: schema["examples"][0] for name, schema in schemas.items() if "examples" in schema}
    lab, new_name, merged = example["NewGallery"]["name"], example["NewName"]["identity_id"], example["Merge"]["source"]
    identities = f"/v1/galleries/{lab}/identities"
    archive = {"name": example["Destination"]["gallery"]}
    with stranger.client() as client:
        # Others have tried these examples too.
        for gallery in (lab, archive["name"]):
            client.delete(f"/v1/galleries/{gallery}")
        answers = [
            client.post("/v1/galleries", json=example["NewGallery"]),
            client.post("/v1/galleries", json=archive),
            client.put(f"{identities}/anna", json=example["Changes"]),
            client.put(f"{identities}/{merged}", json=example["Changes"]),
            client.post(f"{identities}/anna:rename", json=example["NewName"]),
            client.post(f"{identities}/{new_name}:merge", json=example["Merge"]),
            client.post(f"{identities}/{new_name}:move", json=example["Destination"]),
        ]
        # Its shot is one that nobody has.
        split = client.post(f"{identities}/{new_name}:split", json=example["SomeShots"])

    assert [answer.status_code for answer in answers] == [201, 201, 200, 200, 200, 200, 200], answers
    assert split.json()["type"] == "/problems/unknown-identity"


def test_every_operation_has_a_tag_that_is_described_and_says_how_keys_are_sent(stranger: Server) -> None:
    document = httpx.get(f"{stranger.url}/openapi.json").json()
    described = {tag["name"] for tag in document["tags"]}

    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert set(operation["tags"]) <= described, path
            assert "service" in operation["tags"] or len(operation["security"]) == 2, path


def test_every_answer_that_a_route_documents_has_a_type(stranger: Server) -> None:
    document = httpx.get(f"{stranger.url}/openapi.json").json()

    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                for schema in answer["content"].values():
                    assert schema["schema"], (path, method, status)
