"""The five steps of docs/adding-a-network.md."""

import re
from pathlib import Path

import httpx
import pytest
import torch
import torch.nn.functional as F
from fastapi import FastAPI
from torch import Tensor, nn
from typer.testing import CliRunner

from app.cli import main
from models.catalog import BUILDERS
from models.checkpoint import Preprocessing
from models.families import FAMILIES, Family
from tests.app.forking import ROOT
from tests.app.inside import inside
from tests.app.pictures import encode, pattern

PAGE = (ROOT / "docs" / "adding-a-network.md").read_text()


def code_of_the_page() -> type[nn.Module]:
    """The network that the page writes."""
    [source] = re.findall(r"```python\n(class ToyNet.*?)```", PAGE, re.S)
    names: dict[str, object] = {"nn": nn, "torch": torch, "F": F, "Tensor": Tensor}
    exec(source, names)
    return names["ToyNet"]  # type: ignore[return-value]


def test_the_steps_of_the_page_lead_to_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy = code_of_the_page()
    monkeypatch.setitem(BUILDERS, "toy", toy)
    monkeypatch.setitem(FAMILIES, "toy", Family("reid", lambda shapes: {}, lambda _: Preprocessing((64, 32))))
    torch.save(toy().state_dict(), tmp_path / "toy.pth")
    (tmp_path / "weights").mkdir()

    command = ["weights", "import", str(tmp_path / "toy.pth"), "--as", "toy", "--name", "toy-market"]
    folder = ["--licence", "Apache-2.0", "--weights-dir", str(tmp_path / "weights")]
    imported = CliRunner().invoke(main, [*command, *folder])
    assert imported.exit_code == 0, imported.output

    async def visit(_: FastAPI, client: httpx.AsyncClient) -> httpx.Response:
        return await client.post("/v1/reid/embed", files={"image": encode(pattern())})

    answer = inside(
        tmp_path / "data", visit, weights_dir=str(tmp_path / "weights"), reid_model="toy-market", runtime="torch"
    ).json()
    assert (answer["model"], answer["dim"]) == ("toy-market", 24)


def test_the_page_names_places_that_are_there() -> None:
    for name in re.findall(r"`((?:models|tests|docs)/[\w/.]+)`", PAGE):
        assert (ROOT / name).exists() or name == "models/backbones/toy.py", name
