"""Re-identification tables of the papers: which query and gallery, embedded how, ranked and counted by which rules."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.predictors.reid import PersonEmbedder
from training.datasets import decode_crops
from training.metrics import CUHK03_CLASSIC, RetrievalScores, cmc_curve, retrieval_scores
from training.progress import watched
from training.reid_layouts import CropFile, Wanted, find_layout, list_crops
from training.reranking import k_reciprocal_distances

FloatArray = NDArray[np.float32]
Embed = Callable[[Sequence[CropFile], str], FloatArray]
"""Maps crops to rows of unit length; the text says what they are, for a progress bar."""


@dataclass(frozen=True)
class ReidTest:
    """What is looked for, and where.

    Attributes:
        name: of the data, with the kind of boxes where there is a choice.
        layout: in which it was read.
        query, gallery: not yet read, so that memory does not grow with the data.
    """

    name: str
    layout: str
    query: list[CropFile]
    gallery: list[CropFile]


@dataclass(frozen=True)
class ReidProtocol:
    """How rankings are made and counted.

    Attributes:
        classic_set: None ranks the whole gallery as for Market-1501, which is also CUHK03's new protocol. A number
            chooses CUHK03's classic protocol (Li et al. 2014): one gallery image a person, from another camera than
            the query's, drawn at random; the number is that of the test set where CUHK03 defines 20.
        repeats: how often the classic protocol draws.
        seed: of the draws.
        rerank: k-reciprocal re-ranking (Zhong et al. 2017) instead of cosine similarity.
    """

    classic_set: int | None = None
    repeats: int = 10
    seed: int = 0
    rerank: bool = False

    def __post_init__(self) -> None:
        """Refuse what does not go together: drawing from the gallery leaves no neighbourhoods to re-rank by."""
        if self.rerank and self.classic_set is not None:
            raise ValueError(
                "re-ranking needs the whole gallery, of which the classic protocol takes one image a person"
            )

    def __str__(self) -> str:
        """For reports."""
        measure = "k-reciprocal re-ranking" if self.rerank else "cosine similarity"
        if self.classic_set is None:
            return f"Market-1501 protocol, {measure}"
        draws = f"one gallery image a person from another camera, {self.repeats} draws"
        return f"classic CUHK03 protocol ({draws}; mAP over all images), {measure}"


def find_tests(root: Path, boxes: str | None = None, classic_set: int | None = None) -> list[ReidTest]:
    """Find the test part of a data set, once for each kind of boxes it has.

    Args:
        root: the data set's folder, in any layout of `training.reid_layouts`.
        boxes: only this kind.
        classic_set: number of the test set, for CUHK03 with its classic splits.

    Raises:
        ValueError: no layout fits, something of it is missing, or it has no such boxes or classic test sets.
    """
    layout = find_layout(root)
    has = layout.boxes(root)
    if boxes and boxes not in has:
        raise ValueError(
            f"--boxes {boxes} is for data with a choice; {root} has {' and '.join(has) or 'one kind of boxes'}"
        )
    if classic_set is not None and not (has and layout.classic):
        raise ValueError(f"the classic protocol is CUHK03's; {root} is in {layout.name} layout, without its test sets")
    kinds: Sequence[str | None] = [boxes] if boxes else has
    return [
        ReidTest(
            root.resolve().name + (f" ({kind})" if kind else ""),
            layout.name,
            list_crops(root, Wanted("query", kind, classic_set)),
            list_crops(root, Wanted("gallery", kind, classic_set)),
        )
        for kind in kinds or [None]
    ]


@torch.inference_mode()
def embed_crops(embedder: PersonEmbedder, crops: Sequence[CropFile], title: str, batch_size: int = 64) -> FloatArray:
    """Read and embed crops with what the service embeds with: (N, D) rows of unit length.

    Raises:
        ValueError: one is not a picture.
    """
    device = next(embedder.network.parameters()).device
    rows = []
    for start in watched(range(0, len(crops), batch_size), title):
        pictures = decode_crops(crops[start : start + batch_size])
        batch = torch.stack([embedder.prepare(picture) for picture in pictures]).to(device)
        rows.append(embedder.forward(batch).cpu())
    return torch.cat(rows).numpy()


def evaluate_reid(test: ReidTest, protocol: ReidProtocol, embed: Embed) -> RetrievalScores:
    """Embed, rank and count.

    Raises:
        ValueError: no query has a right answer in the gallery, or a crop is not a picture.
    """
    query = embed(test.query, f"{test.name}: query")
    # CUHK03's classic test sets look for every image among the others.
    gallery = query if test.gallery == test.query else embed(test.gallery, f"{test.name}: gallery")
    similarities = -k_reciprocal_distances(query, gallery) if protocol.rerank else query @ gallery.T
    ids = (_identities(test.query), _identities(test.gallery), _cameras(test.query), _cameras(test.gallery))
    scores = retrieval_scores(similarities, *ids)
    if protocol.classic_set is None:
        return scores
    rules = replace(CUHK03_CLASSIC, single_shot_repeats=protocol.repeats)
    return replace(scores, cmc=cmc_curve(similarities, *ids, rules, seed=protocol.seed))


def _identities(crops: Sequence[CropFile]) -> NDArray[np.int64]:
    return np.array([crop.identity for crop in crops], np.int64)


def _cameras(crops: Sequence[CropFile]) -> NDArray[np.int64]:
    return np.array([crop.camera for crop in crops], np.int64)
