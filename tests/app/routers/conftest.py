"""What tests of routes share."""

import uuid

import httpx
import pytest


@pytest.fixture
def gallery(client: httpx.Client) -> str:
    """The address of an empty gallery of one's own."""
    name = f"g-{uuid.uuid4().hex}"
    client.post("/v1/galleries", json={"name": name}).raise_for_status()
    return f"/v1/galleries/{name}"
