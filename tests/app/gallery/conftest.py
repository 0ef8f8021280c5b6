"""Fixtures of the gallery's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.gallery.gallery import GalleryStore
from tests.app.gallery.postgres import PostgresServer, postgres_server
from tests.app.gallery.support import Place


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server for all tests that want one."""
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    """Where galleries can be kept, once on each kind of database."""
    if request.param == "sqlite":
        return Place(tmp_path)
    server: PostgresServer = request.getfixturevalue("postgres")
    return Place(tmp_path, server.new_url())


@pytest.fixture
def store(place: Place) -> Iterator[GalleryStore]:
    """A store with an empty gallery `people`."""
    store = place.open()
    yield store
    store.close()
