"""How each task is scored."""

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


def retrieval_scores(
    similarities: Similarities,
    query_ids: Ids,
    gallery_ids: Ids,
    query_cameras: Ids,
    gallery_cameras: Ids,
    max_rank: int = 50,
    exclude_same_camera: bool = False,
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

    Raises:
        ValueError: no query has a right answer.
    """
    hits_at = np.zeros(max_rank, np.int64)
    precisions: list[float] = []
    for row, identity, camera in zip(similarities, query_ids, query_cameras, strict=True):
        junk = gallery_cameras == camera
        if not exclude_same_camera:
            junk &= gallery_ids == identity
        kept = np.flatnonzero(~junk)
        right = gallery_ids[kept[np.argsort(-row[kept], kind="stable")]] == identity
        ranks = np.flatnonzero(right)
        if ranks.size == 0 or identity < 0:
            continue
        if ranks[0] < max_rank:
            hits_at[ranks[0]] += 1
        precisions.append(float(np.mean(np.arange(1, ranks.size + 1) / (ranks + 1))))
    if not precisions:
        raise ValueError("no query has a right answer in the gallery")
    cmc = np.cumsum(hits_at) / len(precisions)
    return RetrievalScores(cmc, float(np.mean(precisions)), len(precisions))
