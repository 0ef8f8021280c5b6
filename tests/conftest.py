"""Fixtures and settings shared by all tests."""

from pathlib import Path

import pytest
import torch
from hypothesis import settings

SHARED = Path(__file__).resolve().parents[2] / "shared"

# Test processes run side by side, one a core; more threads in each would only get in each other's way.
torch.set_num_threads(1)
# A deadline would measure how busy the machine is.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data beside a development checkout."""
    if not SHARED.is_dir():
        pytest.skip("the reference data (../shared) is not here")
    return SHARED
