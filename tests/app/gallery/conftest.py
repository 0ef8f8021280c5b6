"""Fixtures of the gallery's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.gallery.gallery import GalleryStore
from tests.app.gallery.support import open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[GalleryStore]:
    """A store with an empty gallery `people`."""
    store = open_store(tmp_path)
    yield store
    store.close()
