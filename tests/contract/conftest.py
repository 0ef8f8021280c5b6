"""A server for whoever knows its OpenAPI document alone."""

from collections.abc import Iterator

import pytest

from tests.app.conftest import Server, start_server


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """It serves every network that is there, and says little."""
    running = start_server(tmp_path_factory.mktemp("contract"), max_images="8", log_level="error")
    yield running
    running.terminate()
