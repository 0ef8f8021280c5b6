"""HRNet's decoding, crops, targets, losses and metrics against the authors' code."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.crops import SCALE_UNIT, Region, box_region, crop_matrix, invert, transform, warp
from models.heatmap_targets import hrnet_targets
from models.heatmaps import decode_hrnet, merge_mirrored, positive_peaks
from models.keypoints import COCO_17, MPII_16, Skeleton, mirror_points
from models.oks import oks_nms, pairwise_oks, soft_oks_nms
from tests.parity.comparison import Check, arrays, compare, compare_affine, figures, scale_of
from tests.parity.result import Result
from training.coco_evaluation import coco_keypoint_scores
from training.pose_losses import hard_joints_mse, joints_mse
from training.pose_metrics import Pckh, head_sizes, heatmap_pck, pckh

ROUNDING = 1e-6  # of the largest magnitude; the references compute in float32
CORNER_ROUNDING = 1e-5  # the reference rounds three corners to float32, which shows in small boxes far out
SKELETONS = {len(skeleton): skeleton for skeleton in (COCO_17, MPII_16)}
COCO_NAMES = {
    **{"ap": "AP", "ap50": "Ap .5", "ap75": "AP .75", "ap_medium": "AP (M)", "ap_large": "AP (L)"},
    **{"ar": "AR", "ar50": "AR .5", "ar75": "AR .75", "ar_medium": "AR (M)", "ar_large": "AR (L)"},
}


def check_decode(path: Path) -> Iterator[Result]:
    """Peaks, the quarter shift, and the way back to the image."""
    data = arrays(path)
    heatmaps = torch.from_numpy(data["heatmaps_x64"].astype(np.float32) / 64)
    points, scores = positive_peaks(heatmaps)
    yield compare(path, "max_preds", points, data["max_preds"])
    yield compare(path, "maxvals", scores, data["maxvals"][..., 0])
    size = (heatmaps.shape[2], heatmaps.shape[3])
    matrix = invert(crop_matrix(_region(data["center"], data["scale"]), size))
    for output, decoded in {"final_preds": decode_hrnet(heatmaps)[0], "final_preds_no_quarter": points}.items():
        reference = data[output]
        ours = transform(decoded.numpy(), matrix)
        yield compare(path, output, ours, reference, ROUNDING * scale_of(reference))


def check_flip(path: Path) -> Iterator[Result]:
    """Merging with the mirrored pass, with and without the shift."""
    data = arrays(path)
    plain, mirrored = (torch.from_numpy(data[k] / 64) for k in ("plain_x64", "flipped_input_output_x64"))
    permutation = _skeleton(plain.shape[1]).flip_permutation
    for output, shift in {"merged_x128": True, "merged_noshift_x128": False}.items():
        yield compare(path, output, merge_mirrored(plain, mirrored, permutation, shift) * 128, data[output])


def check_affine(path: Path) -> Iterator[Result]:
    """Boxes to regions, matrices there and back, and points through them; the worst of all entries."""
    entries = figures(path)
    ours = [_affine(entry) for entry in entries]
    for output in ours[0]:
        answers, reference = ([one[output] for one in many] for many in (ours, entries))
        if output.startswith("trans"):
            yield from compare_affine(path, output, answers, reference, CORNER_ROUNDING)
        else:
            yield compare(path, output, answers, reference, CORNER_ROUNDING * scale_of(reference))


def _affine(entry: dict[str, Any]) -> dict[str, NDArray[np.float64]]:
    width, height = (int(length) for length in entry["image_size"])
    x, y, box_width, box_height = entry["box_xywh"]
    boxed = box_region(np.array([x, y, x + box_width, y + box_height]), (height, width))
    scale = np.array([boxed.width, boxed.width * height / width]) / SCALE_UNIT
    region = Region(boxed.center, boxed.width, entry["rot"])
    there, back = crop_matrix(region, (height, width)), invert(crop_matrix(region, (height // 4, width // 4)))
    return {
        "center": region.center,
        "scale": scale,
        "trans": there,
        "trans_inv_heatmap": back,
        "point_in_crop": transform(np.array([entry["point"]]), there)[0],
        "heatmap_point_in_image": transform(np.array([entry["heatmap_point"]]), back)[0],
    }


def check_warp(path: Path) -> Iterator[Result]:
    """Crops, upright and turned; versions of OpenCV differ by a grey level."""
    data = arrays(path)
    upright = _region(data["center"], data["scale"])
    for suffix, degrees in {"": 0.0, "_rot": float(data["rot"])}.items():
        reference = data[f"crop{suffix}"]
        size = reference.shape[:2]
        matrix = crop_matrix(Region(upright.center, upright.width, degrees), size)
        yield from compare_affine(path, f"trans{suffix}", matrix, data[f"trans{suffix}"], CORNER_ROUNDING)
        yield compare(path, f"crop{suffix}", warp(data["image"], matrix, size), reference, 1)


def check_target(path: Path) -> Iterator[Result]:
    """Target heatmaps, their weights, and mirrored keypoints."""
    data = arrays(path)
    (width, height), visible = data["heatmap_size"].tolist(), data["joints_vis"][:, 0]
    stride = float(data["image_size"][0]) / width
    points = torch.from_numpy(data["joints"][:, :2])
    targets, weights = hrnet_targets(points, torch.from_numpy(visible), (height, width), stride, float(data["sigma"]))
    reference = np.zeros(targets.numel(), np.float32)
    reference[data["target_nonzero_flat_index"]] = data["target_nonzero_value"]
    yield compare(path, "target", targets.flatten(), reference, ROUNDING)
    yield compare(path, "target_nonzero_flat_index", targets.flatten() != 0, reference != 0)
    yield compare(path, "target_weight", weights, data["target_weight"][:, 0])
    skeleton = _skeleton(len(points))
    mirrored_visible = data["joints_vis"][list(skeleton.flip_permutation)]
    mirrored = mirror_points(data["joints"], skeleton, int(data["image_size"][0])) * mirrored_visible
    yield compare(path, "flipped_joints", mirrored, data["flipped_joints"], 1e-9)
    yield compare(path, "flipped_vis", mirrored_visible, data["flipped_vis"])


def check_loss(path: Path) -> Iterator[Result]:
    """Losses on heatmaps, and PCK between them."""
    data, expected = arrays(path), figures(path)
    output, target, weights = (torch.from_numpy(data[k]) for k in ("output", "target", "target_weight"))
    losses = {
        "joints_mse_weighted": joints_mse(output, target, weights[..., 0]),
        "joints_mse_unweighted": joints_mse(output, target),
        "ohkm8_weighted": hard_joints_mse(output, target, weights[..., 0], hardest=8),
    }
    for name, loss in losses.items():
        yield compare(path, name, loss, expected[name], 1e-5 * scale_of(expected[name]))
    pck = heatmap_pck(output, target)
    per_joint = [pck.mean, *pck.per_keypoint.nan_to_num(nan=-1).tolist()]
    yield compare(path, "pck_accuracy_per_joint", per_joint, expected["pck_accuracy_per_joint"], ROUNDING)
    yield compare(path, "pck_avg", pck.mean, expected["pck_avg"], ROUNDING)
    yield compare(path, "pck_cnt", pck.counted, expected["pck_cnt"])


def check_oks_nms(path: Path) -> Iterator[Result]:
    """Similarities of poses, and which of them stay."""
    data = figures(path)
    scores = np.array(data["score"])
    similarities = pairwise_oks(np.array(data["keypoints"])[..., :2], np.array(data["area"]), COCO_17.sigmas)
    yield compare(path, "oks_iou_0_vs_rest", similarities[0, 1:], data["oks_iou_0_vs_rest"], 1e-9)
    for output in data:
        if match := re.fullmatch(r"(soft_)?keep_(\d+)_(\d+)", output):
            suppress = soft_oks_nms if match[1] else oks_nms
            kept = suppress(similarities, scores, float(f"{match[2]}.{match[3]}"))
            yield compare(path, output, kept, data[output])


def check_pckh(path: Path) -> Iterator[Result]:
    """PCKh on MPII in percent, from the arrays of its official annotation file."""
    data, expected = arrays(path), figures(path)
    truth = data["pos_gt_src"].transpose(2, 0, 1)
    heads = head_sizes(data["headboxes_src"].transpose(2, 0, 1).reshape(len(truth), 4))
    points, visible = data["preds_zero_based"] + 1, data["jnt_missing"].T == 0

    def score(threshold: float) -> Pckh:
        return pckh(points, truth, visible, heads, threshold)

    half = score(0.5)
    ours = {name.capitalize(): share for name, share in half.parts.items()}
    ours |= {"Mean": half.mean, "Mean@0.1": score(float(np.arange(0, 0.51, 0.01)[11])).mean}
    for name, share in ours.items():
        yield compare(path, name, 100 * share, expected[name], 1e-9)


def check_coco(path: Path) -> Iterator[Result]:
    """COCO's figures, from ground truth and detections in its own format."""
    detections, expected = (figures(path.with_name(f"cocoap_{part}.json")) for part in ("dt", "stats"))
    scores = coco_keypoint_scores(figures(path), detections)
    for field, name in COCO_NAMES.items():
        yield compare(path, name, getattr(scores, field), expected[name], 1e-9)


def _region(center: NDArray[np.float32], scale: NDArray[np.float32]) -> Region:
    return Region(center.astype(np.float64), scale[..., 0].astype(np.float64) * SCALE_UNIT)


def _skeleton(keypoints: int) -> Skeleton:
    if keypoints not in SKELETONS:
        raise ValueError(f"no skeleton of HRNet's has {keypoints} keypoints")
    return SKELETONS[keypoints]


CHECKS: dict[str, Check] = {
    "decode*.npz": check_decode,
    "flip*.npz": check_flip,
    "affine*.json": check_affine,
    "warp*.npz": check_warp,
    "target*.npz": check_target,
    "loss*.npz": check_loss,
    "oks_nms*.json": check_oks_nms,
    "pckh*.npz": check_pckh,
    "cocoap_gt.json": check_coco,
}
