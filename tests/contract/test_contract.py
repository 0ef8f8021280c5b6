import os
from collections.abc import Iterator

import httpx
import pytest

from tests.app.conftest import Server, start_server
from tests.contract.campaign import run

SECONDS = int(os.environ.get("GAITKEEPER_CONTRACT_SECONDS", "30"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = start_server(tmp_path_factory.mktemp("contract"), max_images="8", log_level="error")
    yield running
    running.terminate()


def test_the_service_does_what_its_document_says(stranger: Server) -> None:
    report = run(stranger.url, SECONDS, max_examples=5)

    assert report.findings == []
    assert not [status for status in report.statuses if status >= 500]
    assert {200, 404, 422} <= set(report.statuses)


def test_every_answer_that_a_route_documents_has_a_type(stranger: Server) -> None:
    document = httpx.get(f"{stranger.url}/openapi.json").json()

    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                for schema in answer["content"].values():
                    assert schema["schema"], (path, method, status)
