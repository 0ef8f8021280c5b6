"""The Stacked Hourglass codes' decoding, geometry, targets and losses against the authors' code."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.crops import SCALE_UNIT, FloatArray, Region, crop_matrix, fit_within, invert, transform_cut
from models.heatmap_targets import bearpaw_targets, princeton_targets
from models.heatmaps import decode_bearpaw, decode_princeton, merge_mirrored, positive_peaks, unmirror
from models.keypoints import MPII_16
from tests.parity.comparison import Check, arrays, compare, compare_affine, figures, scale_of
from tests.parity.result import Result
from training.pose_losses import stacked_joints_mse, stacked_mse
from training.pose_metrics import heatmap_pck_bearpaw

ROUNDING = 1e-6  # of the largest magnitude; the references compute in float32
CUT_EDGE = 1e-3  # pixels; nearer to a whole number float32 and float64 may be cut to different ones
HEATMAP_SIZE = (64, 64)
STRIDE = 4


def check_decode(path: Path) -> Iterator[Result]:
    """Points in the heatmap and in the image, by bearpaw, anibali and Princeton."""
    data = arrays(path)
    heatmaps = torch.from_numpy(data["heatmaps_x64"].astype(np.float32) / 64)
    size = (heatmaps.shape[2], heatmaps.shape[3])
    region = Region(data["center"].astype(np.float64), data["scale"].astype(np.float64) * SCALE_UNIT)
    back = invert(crop_matrix(region, size))

    whole, scores = positive_peaks(heatmaps)
    one_based = (whole + 1) * (scores > 0)[..., None]
    yield compare(path, "bearpaw_get_preds_1based", one_based, data["bearpaw_get_preds_1based"])

    points = decode_bearpaw(heatmaps)[0].numpy()
    yield compare_cut(path, "bearpaw_final_preds", points, back, data["bearpaw_final_preds"], first_pixel=1)
    yield compare(path, "anibali_untransformed_0based", points - 1, data["anibali_untransformed_0based"])
    # Anibali's package counts from 0 but transforms as if from 1.
    yield compare_cut(path, "anibali_final_preds", points - 1, back, data["anibali_final_preds"], first_pixel=1)

    decoded, values = (answer.numpy() for answer in decode_princeton(heatmaps))
    yield compare(path, "princeton_parse_xy_val", np.dstack((decoded, values)), data["princeton_parse_xy_val"])
    in_image = data["princeton_image_xy_val"]
    back = invert(crop_matrix(region, (size[0] * STRIDE, size[1] * STRIDE)))
    yield compare_cut(path, "princeton_image_xy_val", decoded * STRIDE, back, in_image[..., :2])
    yield compare(path, "princeton_image_xy_val scores", values, in_image[..., 2])


def check_flip(path: Path) -> Iterator[Result]:
    """Merging with the mirrored pass: the sum, the mean, and the mean cut at 1."""
    data = arrays(path)
    plain, mirrored = (torch.from_numpy(data[k] / 64) for k in ("plain_x64", "flipped_input_output_x64"))
    permutation = MPII_16.flip_permutation
    mean = merge_mirrored(plain, mirrored, permutation, shift=False)
    yield compare(path, "bearpaw_sum", plain + unmirror(mirrored, permutation), data["bearpaw_sum"])
    yield compare(path, "anibali_mean", mean, data["anibali_mean"])
    yield compare(path, "princeton_mean_clipped", mean.clamp(max=1), data["princeton_mean_clipped"])


def check_affine(path: Path) -> Iterator[Result]:
    """The matrix of each entry, and a point through it in both directions by both codes; the worst of all entries."""
    entries = figures(path)
    matrices = np.stack([_matrix(entry) for entry in entries])
    points = np.array([[entry["point"]] for entry in entries])
    for output in ("t", "t_princeton"):
        reference = np.array([entry[output] for entry in entries])[:, :2]
        yield from compare_affine(path, output, matrices, reference, ROUNDING)
    for code, first_pixel in {"bearpaw": 1, "princeton": 0}.items():
        forth = np.array([[entry[f"{code}_transform"]] for entry in entries])
        yield compare_cut(path, f"{code}_transform", points, matrices, forth, first_pixel)
        # What was sent back was a tenth of the point, so that it lies within the smaller frame.
        back = np.array([[entry[f"{code}_transform_inv"]] for entry in entries])
        yield compare_cut(path, f"{code}_transform_inv", points / 10, invert(matrices), back, first_pixel)


def _matrix(entry: dict[str, Any]) -> FloatArray:
    region = Region(np.array(entry["center"]), np.array(entry["scale"] * SCALE_UNIT), entry["rot"])
    return crop_matrix(region, (entry["res"][0], entry["res"][1]))


def check_target(path: Path) -> Iterator[Result]:
    """Target heatmaps of both codes; the file names sigma but not the heatmap's size, which is the networks'."""
    data = arrays(path)
    points = torch.from_numpy(data["points"])
    for name in data:
        if match := re.fullmatch(r"(bearpaw|princeton)_sigma(\d+)_index", name):
            targets, inside = bearpaw_targets(points, HEATMAP_SIZE, float(match[2]))
            if match[1] == "bearpaw":
                yield compare(path, "bearpaw_visible", inside, data["bearpaw_visible"])
            else:
                targets = princeton_targets(points, HEATMAP_SIZE, float(match[2]))
            reference = np.zeros(targets.numel(), np.float32)
            reference[data[name]] = data[name.replace("_index", "_value")]
            yield compare(path, name.removesuffix("_index"), targets.flatten(), reference, ROUNDING)
            yield compare(path, name, targets.flatten() != 0, reference != 0)


def check_loss(path: Path) -> Iterator[Result]:
    """Intermediate supervision summed in both ways, and bearpaw's PCK of the last stack."""
    data, expected = arrays(path), figures(path)
    stacks, target, weights = (torch.from_numpy(data[k]) for k in ("output_stacks", "target", "target_weight"))
    losses = {
        "bearpaw_sum_over_stacks": stacked_joints_mse(stacks, target, weights[..., 0]),
        "princeton_per_sample_per_stack": stacked_mse(stacks, target),
        "princeton_total_mean": stacked_mse(stacks, target).mean(),
    }
    for name, loss in losses.items():
        yield compare(path, name, loss, expected[name], 1e-5 * scale_of(expected[name]))
    pck = heatmap_pck_bearpaw(stacks[:, -1], target)
    accuracy = [pck.mean, *pck.per_keypoint.nan_to_num(nan=-1).tolist()]
    yield compare(path, "bearpaw_accuracy", accuracy, expected["bearpaw_accuracy"], ROUNDING)


def check_fit(path: Path) -> Iterator[Result]:
    """Where whole images lie in a crop."""
    entries = figures(path)
    fits = [fit_within((e["in_h"], e["in_w"]), (e["out_h"], e["out_w"])) for e in entries]
    ours = [[fit.top, fit.left, fit.height, fit.width] for fit in fits]
    yield compare(path, "y_x_h_w", ours, [entry["y_x_h_w"] for entry in entries])


def compare_cut(
    path: Path,
    output: str,
    points: NDArray[np.floating],
    matrix: FloatArray,
    reference: NDArray[np.floating],
    first_pixel: int = 0,
) -> Result:
    """Compare points that were cut to whole pixels; where the cut is a matter of rounding both sides are right."""
    nudge = np.array([0, 0, CUT_EDGE])
    low, high = (transform_cut(points, matrix + step, first_pixel) for step in (-nudge, nudge))
    return compare(path, output, np.where(low == reference, low, high), reference)


CHECKS: dict[str, Check] = {
    "decode*.npz": check_decode,
    "flip*.npz": check_flip,
    "affine*.json": check_affine,
    "target*.npz": check_target,
    "loss*.npz": check_loss,
    "fit*.json": check_fit,
}
