"""The comparison of decoders, losses and metrics: whatever is stored is compared, and what is wrong fails."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.parity import post

# What goes in; all else in the files came out of the authors' code.
INPUTS = {
    *("heatmaps_x64", "plain_x64", "flipped_input_output_x64", "image", "center", "scale", "rot", "points", "sigma"),
    *("joints", "joints_vis", "image_size", "heatmap_size", "output", "output_stacks", "target", "target_weight"),
    *("pos_gt_src", "jnt_missing", "headboxes_src", "preds_zero_based", "features", "labels", "logits"),
    *("query_features", "gallery_features", "query_ids", "gallery_ids", "query_cams", "gallery_cams"),
}


def failures(folder: Path) -> list[str]:
    return [f"{result.case} {result.output}" for result in post.run(folder) if not result.passed]


def moved(values: Any) -> Any:  # noqa: ANN401 - whatever json or npz holds
    """The same structure with its last number off by two."""
    if isinstance(values, np.ndarray):
        changed = values.copy()
        changed.flat[-1] += 2
        return changed
    if isinstance(values, list):
        return [*values[:-1], moved(values[-1])]
    return values + 2


@pytest.mark.shared
@pytest.mark.parametrize(
    "file",
    [
        *("post_hrnet/decode_coco.npz", "post_hrnet/flip_mpii.npz", "post_hrnet/warp.npz"),
        *("post_hrnet/target_coco_256x192.npz", "post_hourglass/decode.npz", "post_hourglass/flip.npz"),
        *("post_hourglass/target.npz", "post_reid/loss.npz", "post_reid/ranking.npz"),
    ],
)
def test_every_stored_array_that_is_off_is_found(shared: Path, tmp_path: Path, file: str) -> None:
    source = shared / "reference" / "oracles" / file
    copy = tmp_path / file
    copy.parent.mkdir()
    if source.with_suffix(".json").is_file():
        shutil.copyfile(source.with_suffix(".json"), copy.with_suffix(".json"))
    with np.load(source) as stored:
        arrays = dict(stored)
    is_target = source.name.startswith("target_")
    outputs = [name for name in arrays if name not in INPUTS or (is_target and name == "target_weight")]

    unnoticed = []
    for name in outputs:
        np.savez(copy, **arrays | {name: moved(arrays[name])})
        if not failures(copy.parent):
            unnoticed.append(name)

    assert outputs
    assert unnoticed == []


@pytest.mark.shared
@pytest.mark.parametrize(
    ("file", "beside"),
    [
        ("post_hrnet/loss.json", "loss.npz"),
        ("post_hrnet/pckh.json", "pckh.npz"),
        ("post_hrnet/cocoap_stats.json", "cocoap_*.json"),
        ("post_hourglass/loss.json", "loss.npz"),
        ("post_reid/loss.json", "loss.npz"),
    ],
)
def test_every_stored_figure_that_is_off_is_found(shared: Path, tmp_path: Path, file: str, beside: str) -> None:
    source = shared / "reference" / "oracles" / file
    copy = tmp_path / file
    copy.parent.mkdir()
    for path in source.parent.glob(beside):
        shutil.copyfile(path, copy.parent / path.name)
    figures = json.loads(source.read_text())

    unnoticed = []
    for name, value in figures.items():
        copy.write_text(json.dumps(figures | {name: moved(value)}))
        if not failures(copy.parent):
            unnoticed.append(name)

    assert unnoticed == []


@pytest.mark.shared
def test_other_values_and_a_file_that_is_broken_do_not_hide_the_others(shared: Path, tmp_path: Path) -> None:
    source = shared / "reference" / "oracles" / "post_reid"
    folder = tmp_path / "post_reid_other"
    folder.mkdir()
    shutil.copyfile(source / "lr.json", folder / "lr.json")
    shutil.copyfile(source / "loss.npz", folder / "loss.npz")  # without its figures

    results = post.run(folder)

    assert [(result.case, result.passed) for result in results] == [
        ("post_reid_other/loss", False),
        ("post_reid_other/lr", True),
    ]


def test_a_folder_of_another_name_or_without_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "post_reid").mkdir()

    with pytest.raises(ValueError, match="begins with none"):
        post.run(tmp_path)
    with pytest.raises(ValueError, match="nothing that can be compared"):
        post.run(tmp_path / "post_reid")
