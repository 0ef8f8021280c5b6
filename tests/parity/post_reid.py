"""Re-identification losses, their gradients, rankings and the learning rate against the authors' code."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.parity.comparison import Check, arrays, compare, figures, scale_of
from tests.parity.result import Result
from training.losses import (
    batch_hard,
    cosine_distances,
    euclidean_distances,
    rrid_loss,
    smoothed_cross_entropy,
    triplet_loss,
)
from training.metrics import (
    ALL_SHOTS,
    CUHK03_CLASSIC,
    MARKET,
    SEPARATE_CAMERAS,
    cmc_curve,
    cosine_similarities,
    retrieval_scores,
    squared_l2,
)
from training.reid import rga_learning_rate

ROUNDING = 1e-6  # of the largest magnitude; the references compute in float32
PROTOCOLS = {
    "cmc_first_match_1_20": MARKET,
    "cmc_allshots_1_20": ALL_SHOTS,
    "cmc_separate_camera_first_match_1_20": SEPARATE_CAMERAS,
    "cmc_cuhk03_single_gallery_shot_npseed0_1_20": CUHK03_CLASSIC,
}


def check_loss(path: Path) -> Iterator[Result]:
    """Values of all losses, what was mined, and the gradients of both triplets."""
    data, expected = arrays(path), figures(path)
    features, labels, logits = (torch.from_numpy(data[k]) for k in ("features", "labels", "logits"))
    distances = euclidean_distances(features)
    theirs = torch.from_numpy(data["euclid_dist"])
    scale, to_itself = scale_of(theirs), torch.eye(len(labels), dtype=torch.bool)
    yield compare(path, "euclid_dist", distances[~to_itself], theirs[~to_itself], 1e-5 * scale)
    # A distance to oneself is nothing but the root of a rounding error.
    yield compare(path, "euclid_dist to itself", distances[to_itself], theirs[to_itself], ROUNDING**0.5 * scale)
    for output, mined in zip(("dist_ap", "dist_an", "p_inds", "n_inds"), batch_hard(distances, labels), strict=True):
        tolerance = 1e-5 * scale if output.startswith("dist") else 0
        yield compare(path, output, mined, data[output], tolerance)

    losses = {
        "rga_ce_label_smooth_eps0.1": smoothed_cross_entropy(logits, labels),
        "rga_triplet_hard_margin0.3_euclid": triplet_loss(distances, labels),
        "rga_triplet_hard_softmargin_euclid": triplet_loss(distances, labels, margin=None),
        "rga_triplet_hard_margin0.3_cosine": triplet_loss(cosine_distances(features), labels),
        "rga_triplet_hard_margin0.3_normalized": triplet_loss(euclidean_distances(F.normalize(features)), labels),
        "rrid_triplet_margin1.2": rrid_loss([features], [], labels),
        "rrid_ce_plain": rrid_loss([], [logits], labels) / 2,
    }
    for name, loss in losses.items():
        yield compare(path, name, loss, expected[name], 1e-5 * scale_of(expected[name]))
    triplets: dict[str, Callable[[Tensor], Tensor]] = {
        "grad_rga_triplet_margin0_3": lambda x: triplet_loss(euclidean_distances(x), labels),
        "grad_rrid_triplet_margin1_2": lambda x: rrid_loss([x], [], labels),
    }
    for name, loss_of in triplets.items():
        yield compare(path, name, _gradient(loss_of, features), data[name], ROUNDING)


def _gradient(loss_of: Callable[[Tensor], Tensor], features: Tensor) -> Tensor:
    leaf = features.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss_of(leaf), leaf)
    return gradient


def check_ranking(path: Path) -> Iterator[Result]:
    """Distances, mean average precision of both kinds, and CMC under the four protocols."""
    data, expected = arrays(path), figures(path)
    query, gallery = data["query_features"], data["gallery_features"]
    ids = data["query_ids"], data["gallery_ids"], data["query_cams"], data["gallery_cams"]
    cosine, squared = cosine_similarities(query, gallery), squared_l2(query, gallery)
    yield compare(path, "dist_cosine", 1 - cosine, data["dist_cosine"], ROUNDING)
    yield compare(path, "dist_sq_euclid", squared, data["dist_sq_euclid"], ROUNDING * scale_of(squared))
    for measure, similarities in {"cosine": cosine, "sq_euclid": -squared}.items():
        reference = expected[measure]
        scores = retrieval_scores(similarities, *ids)
        trapezoid = retrieval_scores(similarities, *ids, trapezoid=True)
        ours: dict[str, object] = {
            "mAP": scores.mean_average_precision,
            "mAP_trapezoid_as_sklearn_0_18": trapezoid.mean_average_precision,
            "valid_queries": scores.valid_queries,
        }
        for output, protocol in PROTOCOLS.items():
            ours[output] = cmc_curve(similarities, *ids, protocol, max_rank=len(reference[output]))
        for output, answer in ours.items():
            yield compare(path, f"{measure} {output}", np.asarray(answer), reference[output], 1e-9)


def check_learning_rate(path: Path) -> Iterator[Result]:
    """RGA's learning rate by epoch."""
    expected = figures(path)["rga_lr"]
    ours = [rga_learning_rate(int(epoch)) for epoch in expected]
    yield compare(path, "rga_lr", ours, list(expected.values()), 1e-12)


CHECKS: dict[str, Check] = {"loss*.npz": check_loss, "ranking*.npz": check_ranking, "lr*.json": check_learning_rate}
