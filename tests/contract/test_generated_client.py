"""A client that others' tools make of the OpenAPI document: it compiles, imports and works."""

import compileall
import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from app.samples import sample_crops
from tests.app.conftest import Server

TOOLS = Path(sys.prefix) / "tools"
# The generator knows no other types of bodies; how it sends these is the same.
CONFIG = {
    "post_hooks": [],
    "content_type_overrides": dict.fromkeys(
        ("image/jpeg", "image/png", "application/x-ndjson", "application/zip"), "application/octet-stream"
    ),
}
USE = """
import importlib, io, pathlib, pkgutil, sys
import made
for module in pkgutil.walk_packages(made.__path__, "made."):
    importlib.import_module(module.name)
from made.api.galleries import create_gallery_v1_galleries_post as create
from made.api.re_identification import embed_v1_reid_embed_post as embed
from made.models import EmbedV1ReidEmbedPostFilesBody, NewGallery
from made.types import File
client = made.Client(base_url=sys.argv[1])
crop = File(io.BytesIO(pathlib.Path("crop.jpg").read_bytes()), "crop.jpg", "image/jpeg")
answer = embed.sync(client=client, body=EmbedV1ReidEmbedPostFilesBody(image=[crop]))
print(len(answer.embeddings[0].embedding) == answer.dim, answer.embeddings[0].status)
print(create.sync(client=client, body=NewGallery(name="generated")).name)
print(create.sync(client=client, body=NewGallery(name="generated")).type_)
"""


@pytest.fixture(scope="module")
def made(stranger: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the client `made`."""
    if not (TOOLS / "openapi_python_client").exists():
        pytest.skip("the generator is not installed; make check does it")
    folder = tmp_path_factory.mktemp("generated")
    (folder / "openapi.json").write_bytes(httpx.get(f"{stranger.url}/openapi.json").raise_for_status().content)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    arguments = ["--path", "openapi.json", "--output-path", "made", "--meta", "none", "--config", "config.json"]
    generated = subprocess.run(
        [sys.executable, "-m", "openapi_python_client", "generate", "--fail-on-warning", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(TOOLS)},
        capture_output=True,
        text=True,
    )
    assert generated.returncode == 0, generated.stdout + generated.stderr
    return folder


def test_a_generated_client_compiles(made: Path) -> None:
    assert compileall.compile_dir(made / "made", quiet=1)


def test_a_generated_client_works(made: Path, stranger: Server) -> None:
    (made / "crop.jpg").write_bytes(sample_crops(1, 1)[0].jpeg)

    used = subprocess.run([sys.executable, "-c", USE, stranger.url], cwd=made, capture_output=True, text=True)

    assert used.stdout.split() == ["True", "ok", "generated", "/problems/already-exists"], used.stderr
