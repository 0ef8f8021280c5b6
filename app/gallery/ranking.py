"""Shots to identities: evidence of all shots and all crops fused, ties broken the same way every time."""

import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.gallery.changes import NO_KEYS, Keys
from app.gallery.domain import Aggregate, BestShot, Embeddings, RankedIdentity
from app.gallery.index import Similarities, VectorIndex
from app.gallery.roster import Member, Roster

Scores = NDArray[np.float64]

LEAST_REACH = 64
REACH_GROWTH = 16


@dataclass(frozen=True, eq=False)
class _Evidence:
    """Everything that M candidates have to show; shot by shot, each candidate's together.

    Attributes:
        members: M identities.
        starts: (M,) where each one's shots begin.
        shots: (N,) keys.
        similarities: (Q, N) of each crop to each shot.
    """

    members: list[Member]
    starts: NDArray[np.int64]
    shots: Keys
    similarities: Similarities

    def scores(self, aggregate: Aggregate) -> Scores:
        """(M,) similarity of each candidate, fused over the crops."""
        return _fused(np.maximum.reduceat(self.similarities, self.starts, axis=1), aggregate)


def rank(
    index: VectorIndex, roster: Roster, queries: Embeddings, limit: int, aggregate: Aggregate
) -> list[RankedIdentity]:
    """The identities that fit the queries best.

    A crop is as similar to an identity as to the identity's most similar shot; over the crops these are fused. The
    index is asked for more until no identity that it has not named can be among the best `limit` (the threshold
    algorithm of Fagin, Lotem and Naor, 2003), so that with an exact index the ranking is exact.

    Args:
        index: embeddings by shot key.
        roster: whose the shots are, at the same version.
        queries: (Q, D) float32 unit rows, all of one person.
        limit: identities to return; fewer only if fewer have shots.
        aggregate: over the crops, "mean" or "best".

    Returns:
        Best first; of equal ones, the smaller identity id.

    Raises:
        ValueError: `limit` is below 1.
    """
    if limit < 1:
        raise ValueError(f"limit is {limit}; it has to be at least 1")
    # Half as much again as the best would need if everyone had as many shots.
    reach = max(LEAST_REACH, 3 * limit * len(index) // (2 * len(roster.members) + 1))
    while True:
        neighbours = index.nearest(queries, reach)
        evidence = _gather(index, roster, queries, neighbours.keys)
        scores = evidence.scores(aggregate)
        unseen = _fused(neighbours.ceiling, aggregate)
        if unseen == -np.inf or np.count_nonzero(scores > unseen) >= limit:
            return _ranked(evidence, roster, scores, limit)
        reach *= REACH_GROWTH
        # Where the crops together may name everyone, one more look settles it.
        if reach * len(queries) >= len(index):
            reach = sys.maxsize


def _gather(index: VectorIndex, roster: Roster, queries: Embeddings, keys: Keys) -> _Evidence:
    members = [roster.member(owner) for owner in np.unique(roster.owners_of(keys)).tolist()]
    shots = np.concatenate([NO_KEYS, *(member.shots for member in members)])
    counts = [len(member.shots) for member in members]
    starts = np.cumsum([0, *counts[:-1]]) if counts else NO_KEYS
    return _Evidence(members, starts, shots, np.clip(index.similarities(queries, shots), -1, 1))


def _fused(similarities: Similarities, aggregate: Aggregate) -> Scores:
    precise = similarities.astype(np.float64)
    fused: Scores = precise.mean(axis=0) if aggregate == "mean" else precise.max(axis=0)
    return fused


def _ranked(evidence: _Evidence, roster: Roster, scores: Scores, limit: int) -> list[RankedIdentity]:
    enough = np.partition(scores, -limit)[-limit] if len(scores) > limit else -np.inf
    rows = np.flatnonzero(scores >= enough).tolist()
    rows.sort(key=lambda row: (-scores[row], evidence.members[row].identity_id))
    return [
        RankedIdentity(
            rank=rank,
            identity_id=evidence.members[row].identity_id,
            label=evidence.members[row].label,
            similarity=float(scores[row]),
            shots=len(evidence.members[row].shots),
            best_shot=_best_shot(evidence, roster, row),
        )
        for rank, row in enumerate(rows[:limit], start=1)
    ]


def _best_shot(evidence: _Evidence, roster: Roster, row: int) -> BestShot:
    start = evidence.starts[row]
    mine = slice(start, start + len(evidence.members[row].shots))
    similarities = evidence.similarities[:, mine].max(axis=0)
    similarity = similarities.max()
    equals = evidence.shots[mine][similarities == similarity].tolist()
    shot_id, camera = min((roster.shot(key) for key in equals), key=lambda shot: shot[0])
    return BestShot(shot_id, float(similarity), camera)
