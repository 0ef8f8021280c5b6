import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

import models
from app.commands.weights import weights
from app.runtime import GOLDEN_COSINE, load_embedder
from models.checkpoint import Checkpoint, Preprocessing, Source, load_network, read_manifest
from models.golden import golden_image
from models.manifest import write_entry
from tests.models.pickles import Call
from tests.models.site import Site, serve

HOURGLASS = {"num_stacks": 1, "num_blocks": 1, "num_keypoints": 3, "channels": 16}
RGA = {"input_size": (32, 16), "width": 8}


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().endswith("_PROXY") or name.startswith("GAITKEEPER_"):
            monkeypatch.delenv(name)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(weights, [str(argument) for argument in arguments])


def official_bytes(folder: Path) -> bytes:
    """A file of an hourglass as a training script with DataParallel would write it."""
    torch.manual_seed(0)
    state = models.create("hourglass_bearpaw", **HOURGLASS).state_dict()
    contents = {"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}, "epoch": 3}
    torch.save(contents, folder / "source.pth")
    return (folder / "source.pth").read_bytes()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with serve(Site(official_bytes(tmp_path))) as running:
        yield running


def official(site: Site, **changes: object) -> Checkpoint:
    checkpoint = Checkpoint(
        "tiny",
        "pose",
        "hourglass_bearpaw",
        Preprocessing((64, 64), flip=True),
        "tiny.safetensors",
        "",
        f"{site.url}/hg-file.pth",
        "MIT",
        True,
        arguments={"num_keypoints": 3},
        published={"MPII val": {"mean": 0.9}},
        source=Source("hg-file.pth", hashlib.sha256(site.data).hexdigest(), "https://example.org/hourglass"),
    )
    return replace(checkpoint, **changes)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path, site: Site) -> Path:
    """A weights folder whose manifest has one official checkpoint, served by the site."""
    folder = tmp_path / "weights"
    folder.mkdir()
    write_entry(folder, official(site))
    return folder


def test_a_pulled_checkpoint_is_verified_converted_and_listed_as_here(folder: Path, site: Site) -> None:
    result = run("pull", "tiny", "--weights-dir", folder)

    assert result.exit_code == 0, result.output
    checkpoint = read_manifest(folder)["tiny"]
    assert load_network(checkpoint, folder)
    assert checkpoint.published == {"MPII val": {"mean": 0.9}}
    assert "took the prefix module. off every name" in result.stdout
    assert checkpoint.sha256 in result.stdout
    assert {path.name for path in folder.iterdir()} == {"golden", "manifest.toml", "tiny.safetensors"}
    assert " here " in next(line for line in run("list", "--weights-dir", folder).stdout.splitlines() if "tiny" in line)


def test_a_checkpoint_that_is_here_is_not_pulled_again(folder: Path, site: Site) -> None:
    run("pull", "tiny", "--weights-dir", folder)
    asked = len(site.requests)

    result = run("pull", "tiny", "--weights-dir", folder, "--offline")

    assert (result.exit_code, len(site.requests)) == (0, asked)
    assert "here already" in result.stdout


def test_an_interrupted_pull_goes_on_in_the_next_one(folder: Path, site: Site) -> None:
    site.cuts = [10_000, 0]

    first, second = run("pull", "tiny", "--weights-dir", folder), run("pull", "tiny", "--weights-dir", folder)

    assert (first.exit_code, second.exit_code) == (1, 0)
    assert "10000 bytes are kept" in first.stderr
    assert site.asked_for("Range")[-1] == "bytes=10000-"


def test_a_pull_with_a_wrong_hash_leaves_no_checkpoint(folder: Path, site: Site) -> None:
    site.data = site.data[:-1] + b"!"

    result = run("pull", "tiny", "--weights-dir", folder)

    assert result.exit_code == 1
    assert "has sha256" in result.stderr
    assert not (folder / "tiny.safetensors").exists()
    assert read_manifest(folder)["tiny"].sha256 == ""


@pytest.mark.parametrize("how", ["option", "environment"])
def test_offline_mode_pulls_nothing(folder: Path, site: Site, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    if how == "environment":
        monkeypatch.setenv("GAITKEEPER_OFFLINE", "1")

    result = run("pull", "tiny", "--weights-dir", folder, *(["--offline"] if how == "option" else []))

    assert (result.exit_code, site.requests) == (1, [])
    assert "offline mode is on" in result.stderr


def test_the_folder_may_come_from_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAITKEEPER_WEIGHTS_DIR", str(folder))

    assert run("pull", "tiny").exit_code == 0
    assert (folder / "tiny.safetensors").exists()


def test_a_checkpoint_without_a_known_hash_is_pulled_only_with_one_from_the_user(folder: Path, site: Site) -> None:
    write_entry(folder, official(site, source=Source("hg-file.pth")))
    sha256 = hashlib.sha256(site.data).hexdigest()

    without = run("pull", "tiny", "--weights-dir", folder)
    short = run("pull", "tiny", "--weights-dir", folder, "--sha256", sha256[:8])
    given = run("pull", "tiny", "--weights-dir", folder, "--sha256", sha256.upper())

    assert (without.exit_code, short.exit_code, given.exit_code) == (1, 1, 0)
    assert "no SHA-256 of hg-file.pth is published" in without.stderr
    assert "64 hexadecimal digits" in short.stderr
    source = read_manifest(folder)["tiny"].source
    assert source
    assert source.sha256 == sha256


def test_a_hash_of_which_only_the_beginning_is_known_is_recorded_in_full(folder: Path, site: Site) -> None:
    sha256 = hashlib.sha256(site.data).hexdigest()
    write_entry(folder, official(site, source=Source("hg-file.pth", sha256[:8])))

    wrong = run("pull", "tiny", "--weights-dir", folder, "--sha256", "0" * 64)
    result = run("pull", "tiny", "--weights-dir", folder)

    assert (wrong.exit_code, result.exit_code) == (1, 0)
    assert "contradicts the manifest" in wrong.stderr
    assert "only the first 8 digits of the SHA-256 are known; they fit" in result.stdout
    assert read_manifest(folder)["tiny"].source == Source("hg-file.pth", sha256, "")


@pytest.mark.parametrize("page", ["drive", "html"])
def test_what_only_a_browser_can_download_is_explained(folder: Path, site: Site, page: str) -> None:
    if page == "drive":
        write_entry(folder, official(site, origin="https://drive.google.com/file/d/1/view"))
    site.content_type = "text/html"

    result = run("pull", "tiny", "--weights-dir", folder)

    assert result.exit_code == 1
    assert "in a browser, then" in result.stderr
    assert "gaitkeeper weights import hg-file.pth --as hourglass_bearpaw --name tiny" in result.stderr


def test_an_unknown_name_lists_those_that_exist(folder: Path) -> None:
    result = run("pull", "nobody", "--weights-dir", folder)

    assert result.exit_code == 1
    assert "choose from" in result.stderr
    assert "tiny" in result.stderr
    assert "rrid-market1501" in result.stderr


def test_an_imported_file_becomes_a_new_checkpoint(folder: Path, tmp_path: Path) -> None:
    result = run(
        "import", tmp_path / "source.pth", "--as", "hourglass_bearpaw", "--name", "mine", "--size", "128x128",
        "--licence", "CC0", "--weights-dir", folder,
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    checkpoint = read_manifest(folder)["mine"]
    assert (checkpoint.arguments, checkpoint.preprocessing.size) == (HOURGLASS, (128, 128))
    assert (checkpoint.licence, checkpoint.origin) == ("CC0", "imported from source.pth")
    assert load_network(checkpoint, folder)
    assert "tiny" in read_manifest(folder)


def test_an_imported_file_with_the_hash_of_an_official_one_is_that(folder: Path, tmp_path: Path) -> None:
    result = run("import", tmp_path / "source.pth", "--as", "hourglass_bearpaw", "--weights-dir", folder)

    assert result.exit_code == 0, result.output
    assert list(read_manifest(folder)) == ["tiny"]
    assert read_manifest(folder)["tiny"].licence == "MIT"
    assert load_network(read_manifest(folder)["tiny"], folder)


def test_an_official_checkpoint_can_be_imported_by_its_name(folder: Path, site: Site, tmp_path: Path) -> None:
    write_entry(folder, official(site, source=Source("hg-file.pth")))

    result = run(
        "import", tmp_path / "source.pth", "--as", "hourglass_bearpaw", "--name", "tiny", "--weights-dir", folder
    )

    assert result.exit_code == 0, result.output
    assert "rests on your word" in result.stdout
    assert read_manifest(folder)["tiny"].published == {"MPII val": {"mean": 0.9}}


@pytest.mark.parametrize(
    ("network", "reason"),
    [("glcnn", "is a checkpoint of hourglass_bearpaw, not of glcnn"), ("hourglass_bearpaw", "has sha256")],
)
def test_a_file_that_is_not_the_named_official_one_is_refused(
    folder: Path, tmp_path: Path, network: str, reason: str
) -> None:
    torch.save({"w": torch.ones(1)}, tmp_path / "other.pth")

    result = run("import", tmp_path / "other.pth", "--as", network, "--name", "tiny", "--weights-dir", folder)

    assert result.exit_code == 1
    assert reason in result.stderr


def test_training_heads_are_kept_or_dropped_aloud(tmp_path: Path) -> None:
    torch.save(models.create("rga_sc_resnet18", num_classes=5, **RGA).state_dict(), tmp_path / "run.pth")
    arguments = ("import", tmp_path / "run.pth", "--as", "rga_sc_resnet18", "--weights-dir", tmp_path / "weights")

    dropped = run(*arguments, "--name", "served")
    kept = run(*arguments, "--name", "trained", "--keep-heads")

    assert "dropped training heads, which serving does not need: cls.weight" in dropped.stdout
    assert "kept training heads: cls.weight" in kept.stdout
    manifest = read_manifest(tmp_path / "weights")
    assert (manifest["served"].arguments, manifest["trained"].arguments) == (RGA, RGA | {"num_classes": 5})


def test_an_imported_reid_checkpoint_can_be_served(tmp_path: Path) -> None:
    torch.save(models.create("rga_sc_resnet18", **RGA).state_dict(), tmp_path / "run.pth")
    run("import", tmp_path / "run.pth", "--as", "rga_sc_resnet18", "--weights-dir", tmp_path / "weights")

    embedder, golden = load_embedder(read_manifest(tmp_path / "weights")["run"], tmp_path / "weights")

    with torch.inference_mode():
        row = embedder.forward(embedder.prepare(golden_image(embedder.size))[None])[0]
    assert float(embedder.finish(row) @ golden) > GOLDEN_COSINE


def test_arguments_that_a_file_cannot_tell_are_given(tmp_path: Path) -> None:
    square = {"input_size": (64, 64), "width": 8}
    torch.save(models.create("rga_sc_resnet18", **square).state_dict(), tmp_path / "run.pth")
    arguments = ("import", tmp_path / "run.pth", "--as", "rga_sc_resnet18", "--weights-dir", tmp_path / "weights")

    without, given = run(*arguments), run(*arguments, "--argument", "input_size=64x64")

    assert (without.exit_code, given.exit_code) == (1, 0)
    assert "does not fit rga_sc_resnet18" in without.stderr
    assert read_manifest(tmp_path / "weights")["run"].preprocessing.size == (64, 64)


def test_a_pickle_that_would_run_a_command_is_refused(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    torch.save(Call(os.system, f"touch {mark}"), tmp_path / "evil.pth")

    result = run("import", tmp_path / "evil.pth", "--as", "rrid_resnet50", "--weights-dir", tmp_path / "weights")

    assert result.exit_code == 1
    assert "refused: it names posix.system" in result.stderr
    assert not mark.exists()
    assert not (tmp_path / "weights").exists()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--argument", "num_keypoints"], "write it as KEY=VALUE"),
        (["--argument", "colour=blue"], "cannot be built"),
        (["--size", "256"], "write it as HEIGHTxWIDTH"),
        (["--name", "../up"], "cannot be a checkpoint's name"),
        (["--name", "ours"], "choose another name"),
        (["--sha256", "0" * 64], "not 0000"),
        (["--name", "tiny", "--licence", "CC0"], "has its own size and licence"),
    ],
)
def test_options_that_make_no_sense_are_explained(
    folder: Path, site: Site, tmp_path: Path, options: list[str], reason: str
) -> None:
    write_entry(folder, official(site, name="ours", origin="trained by this project", source=None))
    write_entry(folder, official(site, source=Source("hg-file.pth")))

    result = run("import", tmp_path / "source.pth", "--as", "hourglass_bearpaw", *options, "--weights-dir", folder)

    assert result.exit_code == 1
    assert reason in result.stderr
    assert not list(folder.glob("*.safetensors"))


def test_a_name_that_was_not_chosen_replaces_nothing(folder: Path, site: Site, tmp_path: Path) -> None:
    write_entry(folder, official(site, source=Source("hg-file.pth")))
    arguments = ("import", tmp_path / "source.pth", "--as", "hourglass_bearpaw", "--weights-dir", folder)

    first, second, chosen = run(*arguments), run(*arguments), run(*arguments, "--name", "source")

    assert (first.exit_code, second.exit_code, chosen.exit_code) == (0, 1, 0)
    assert "there is a checkpoint 'source' already" in second.stderr


def test_verify_tells_what_fits_what_is_wrong_and_what_is_not_here(folder: Path, site: Site) -> None:
    run("pull", "tiny", "--weights-dir", folder)
    write_entry(folder, official(site, name="absent", file="absent.safetensors"))
    good = run("verify", "--weights-dir", folder)
    data = bytearray((folder / "tiny.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "tiny.safetensors").write_bytes(data)

    bad = run("verify", "--weights-dir", folder)

    assert (good.exit_code, bad.exit_code) == (0, 1)
    assert good.stdout.splitlines()[0] == "tiny: sha256 and parameters fit"
    assert "1 official checkpoints are not here" in good.stdout
    assert "tiny: WRONG" in bad.stdout
    assert "not what the manifest says: tiny" in bad.stderr


def test_verify_misses_a_file_that_nobody_publishes(folder: Path, site: Site) -> None:
    write_entry(folder, official(site, name="ours", file="ours.safetensors", origin="trained here", source=None))

    result = run("verify", "--weights-dir", folder)

    assert result.exit_code == 1
    assert "ours is not here" in result.stdout


def test_info_marks_figures_as_published_and_says_how_to_get_the_file(folder: Path) -> None:
    result = run("info", "tiny", "--weights-dir", folder)

    assert result.exit_code == 0
    assert "published by its authors, not measured here:\n  MPII val: mean 0.9\n" in result.stdout
    assert "gaitkeeper weights pull tiny" in result.stdout


def test_lists_and_infos_are_also_json(folder: Path) -> None:
    listed = json.loads(run("list", "--json", "--weights-dir", folder).stdout)
    described = json.loads(run("info", "tiny", "--json", "--weights-dir", folder).stdout)

    assert described in listed
    assert (described["state"], described["source"]["file"]) == ("pull", "hg-file.pth")
    assert {entry["state"] for entry in listed} == {"pull", "import"}


def test_info_on_an_unknown_checkpoint_fails(folder: Path) -> None:
    assert run("info", "nobody", "--weights-dir", folder).exit_code == 1


def test_a_setting_that_cannot_be_read_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAITKEEPER_OFFLINE", "perhaps")

    result = run("pull", "tiny")

    assert result.exit_code == 1
    assert "offline" in result.stderr


def test_what_is_here_is_listed_first_under_a_header() -> None:
    lines = run("list").stdout.splitlines()

    assert lines[0].split() == ["NAME", "TASK", "NETWORK", "STATE", "LICENCE"]
    states = [line[75:83].strip() for line in lines[1:-1]]
    assert "here" in states
    assert states == sorted(states, key=lambda state: state != "here")


def test_an_import_as_something_unknown_names_the_networks(tmp_path: Path) -> None:
    result = run("import", tmp_path / "absent.pth", "--as", "resnet152")

    assert result.exit_code == 1
    assert "--as is 'resnet152'" in result.stderr
    assert "rrid_resnet50" in result.stderr
