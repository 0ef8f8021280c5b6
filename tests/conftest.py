"""Fixtures shared by all tests."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data beside a development checkout."""
    if not SHARED.is_dir():
        pytest.skip("the reference data (../shared) is not here")
    return SHARED
