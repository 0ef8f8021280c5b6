"""How re-identification is scored: CMC under the protocols in use, and mean average precision."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Similarities = NDArray[np.floating]


@dataclass(frozen=True)
class RetrievalScores:
    """CMC and mAP of a re-identification run, as fractions.

    Attributes:
        cmc: (R,) share of valid queries with a right answer among the first 1, 2, … R.
        mean_average_precision: mean of the step-wise average precision over valid queries.
        valid_queries: queries that have at least one right answer in the gallery.
    """

    cmc: NDArray[np.float64]
    mean_average_precision: float
    valid_queries: int

    def rank(self, k: int) -> float:
        """Rank-k: share of valid queries matched within the first k."""
        return float(self.cmc[min(k, len(self.cmc)) - 1])


@dataclass(frozen=True)
class Protocol:
    """What a CMC curve counts. Images of the query's identity and camera are never counted.

    Attributes:
        first_match: a query counts once, where its first right answer stands; otherwise every right answer counts an
            equal share, at its rank among the wrong ones.
        exclude_same_camera: leave out every gallery image of the query's camera, whoever it shows.
        single_shot_repeats: 0 ranks the whole gallery; otherwise one image of each identity is drawn, that many times.
    """

    first_match: bool = True
    exclude_same_camera: bool = False
    single_shot_repeats: int = 0


MARKET = Protocol()
"""Market-1501, DukeMTMC-reID, MSMT17 and CUHK03's new split: the first match counts."""

ALL_SHOTS = Protocol(first_match=False)

SEPARATE_CAMERAS = Protocol(exclude_same_camera=True)

CUHK03_CLASSIC = Protocol(first_match=False, exclude_same_camera=True, single_shot_repeats=10)
"""CUHK03's first protocol: one gallery image a person, from the other camera, drawn ten times."""


def cosine_similarities(query: NDArray[np.floating], gallery: NDArray[np.floating]) -> Similarities:
    """Cosine similarity of features (Q, D) and (G, D), of any length: (Q, G), bigger is closer."""
    unit_query, unit_gallery = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (query, gallery))
    return np.asarray(unit_query @ unit_gallery.T)


def squared_l2(query: NDArray[np.floating], gallery: NDArray[np.floating]) -> NDArray[np.floating]:
    """Squared Euclidean distance of features (Q, D) and (G, D): (Q, G), smaller is closer."""
    squares = np.square(query).sum(axis=1)[:, None] + np.square(gallery).sum(axis=1)
    return np.asarray(np.maximum(squares - 2 * query @ gallery.T, 0))


def retrieval_scores(
    similarities: Similarities,
    query_ids: Ids,
    gallery_ids: Ids,
    query_cameras: Ids,
    gallery_cameras: Ids,
    max_rank: int = 50,
    exclude_same_camera: bool = False,
    trapezoid: bool = False,
) -> RetrievalScores:
    """Score rankings by the Market-1501 protocol (Zheng et al. 2015).

    Gallery images of the query's identity *and* camera are left out of its ranking; queries without a right answer are
    skipped. CUHK03's new protocol (Zhong et al. 2017) is the same.

    Args:
        similarities: (queries, gallery), bigger is closer.
        query_ids, gallery_ids: identities; negative ids are distractors, never right.
        query_cameras, gallery_cameras: camera of each image.
        max_rank: length of the CMC curve.
        exclude_same_camera: leave out every gallery image of the query's camera, whoever it shows.
        trapezoid: average precision from straight lines between the points of the curve, as scikit-learn did before
            0.19 and RGA's published figures do; it is lower than the step-wise one.

    Raises:
        ValueError: no query has a right answer.
    """
    rankings = _rankings(similarities, query_ids, gallery_ids, query_cameras, gallery_cameras, exclude_same_camera)
    hits_at, precisions = np.zeros(max_rank), []
    for ranking in rankings:
        hits_at += _hits(ranking.right, max_rank, first_match=True)
        precisions.append(_average_precision(ranking.right, trapezoid))
    if not precisions:
        raise ValueError("no query has a right answer in the gallery")
    cmc = np.cumsum(hits_at) / len(precisions)
    return RetrievalScores(cmc, float(np.mean(precisions)), len(precisions))


def cmc_curve(
    similarities: Similarities,
    query_ids: Ids,
    gallery_ids: Ids,
    query_cameras: Ids,
    gallery_cameras: Ids,
    protocol: Protocol = MARKET,
    max_rank: int = 50,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Cumulative matching characteristic (max_rank,) under a protocol.

    Args:
        similarities: (queries, gallery), bigger is closer.
        query_ids, gallery_ids: identities; negative ids are distractors, never right.
        query_cameras, gallery_cameras: camera of each image.
        protocol: what counts.
        max_rank: length of the curve.
        seed: of the draws, if the protocol asks for any; they are those of numpy's legacy generator, which the
            reference code uses, query after query and identities in the order of the ranking.

    Raises:
        ValueError: no query has a right answer.
    """
    rng = np.random.RandomState(seed)
    hits_at, valid_queries = np.zeros(max_rank), 0
    rankings = _rankings(
        similarities, query_ids, gallery_ids, query_cameras, gallery_cameras, protocol.exclude_same_camera
    )
    for ranking in rankings:
        valid_queries += 1
        if not protocol.single_shot_repeats:
            hits_at += _hits(ranking.right, max_rank, protocol.first_match)
            continue
        for kept in _single_shots(ranking.identities, protocol.single_shot_repeats, rng):
            hits = _hits(ranking.right[kept], max_rank, protocol.first_match)
            hits_at += hits / protocol.single_shot_repeats
    if not valid_queries:
        raise ValueError("no query has a right answer in the gallery")
    return np.asarray(np.cumsum(hits_at) / valid_queries, np.float64)


@dataclass(frozen=True)
class _Ranking:
    identities: Ids  # (R,) of the images that count, best first
    right: NDArray[np.bool_]  # (R,)


def _rankings(
    similarities: Similarities,
    query_ids: Ids,
    gallery_ids: Ids,
    query_cameras: Ids,
    gallery_cameras: Ids,
    exclude_same_camera: bool,
) -> Iterator[_Ranking]:
    for row, identity, camera in zip(similarities, query_ids, query_cameras, strict=True):
        junk = gallery_cameras == camera
        if not exclude_same_camera:
            junk &= gallery_ids == identity
        kept = np.flatnonzero(~junk)
        identities = gallery_ids[kept[np.argsort(-row[kept], kind="stable")]]
        right = identities == identity
        if identity >= 0 and right.any():
            yield _Ranking(identities, right)


def _hits(right: NDArray[np.bool_], max_rank: int, first_match: bool) -> NDArray[np.float64]:
    """How much of one query is matched exactly at each rank: (max_rank,)."""
    ranks = np.flatnonzero(right)
    if first_match:
        ranks = ranks[:1]
    among_wrong = ranks - np.arange(ranks.size)
    hits = np.bincount(among_wrong[among_wrong < max_rank], minlength=max_rank)
    return np.asarray(hits / ranks.size, np.float64)


def _average_precision(right: NDArray[np.bool_], trapezoid: bool) -> float:
    ranks = np.flatnonzero(right)
    matches = np.arange(1, ranks.size + 1)
    precision = matches / (ranks + 1)
    if trapezoid:
        # Before the first image the curve begins at precision 1.
        before = np.where(ranks == 0, 1.0, (matches - 1) / np.maximum(ranks, 1))
        precision = (precision + before) / 2
    return float(precision.mean())


def _single_shots(identities: Ids, repeats: int, rng: np.random.RandomState) -> Iterator[NDArray[np.int64]]:
    """Draw one image of each identity, `repeats` times; what comes out is positions in the ranking, best first."""
    _, first, group, counts = np.unique(identities, return_index=True, return_inverse=True, return_counts=True)
    members = np.argsort(group, kind="stable")
    starts = np.cumsum(counts) - counts
    by_appearance = np.argsort(first)
    for _ in range(repeats):
        draws = rng.randint(0, counts[by_appearance])
        yield np.sort(members[starts[by_appearance] + draws])
