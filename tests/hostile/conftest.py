"""A server that loses patience soon."""

from collections.abc import Iterator

import pytest

from tests.app.conftest import Server, start_server


@pytest.fixture(scope="session")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """It waits half a second for heads and bodies, and serves nothing but embeddings."""
    folder = tmp_path_factory.mktemp("impatient")
    running = start_server(folder, patience_seconds="0.5", pose_models="", gait_models="", log_level="error")
    yield running
    running.terminate()
