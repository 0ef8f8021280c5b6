"""What a search has seen of its candidates: every shot of theirs beside every crop of the query."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from app.gallery.changes import NO_KEYS, Keys
from app.gallery.domain import BestShot, Embeddings, Search
from app.gallery.filters import Taken
from app.gallery.index import Neighbours, Similarities, VectorIndex
from app.gallery.roster import Member, Roster

Scores = NDArray[np.float64]

# How far below the best shot another one counts a third as much.
SOFTNESS = 0.02


@dataclass(frozen=True, eq=False)
class Evidence:
    """What M candidates have to show; shot by shot, each candidate's together.

    Attributes:
        members: M identities.
        starts: (M + 1,) where each one's shots begin, and where the last one's end.
        shots: (N,) keys.
        qualities: (N,) of the shots.
        similarities: (Q, N) of each crop to each shot.
    """

    members: list[Member]
    starts: NDArray[np.int64]
    shots: Keys
    qualities: NDArray[np.float32]
    similarities: Similarities

    @cached_property
    def highest(self) -> Similarities:
        """(N,) similarity of each shot to the crop that it is most like."""
        highest: Similarities = self.similarities.max(axis=0)
        return highest

    def shots_of(self, row: int) -> slice:
        """Where the shots of one candidate are."""
        return slice(int(self.starts[row]), int(self.starts[row + 1]))

    def scores(self, search: Search) -> Scores:
        """(M,) similarity of each candidate, fused over its shots and over the crops."""
        if not self.members:
            return np.empty(0)
        best = np.maximum.reduceat(self.similarities, self.starts[:-1], axis=1)
        return fused(self._softened(best) if search.aggregate == "quality" else best, search)

    def _softened(self, best: Similarities) -> Similarities:
        """(Q, M) a mean of each candidate's shots in which the alike and the good ones count most."""
        counts = np.diff(self.starts)
        behind = self.similarities - np.repeat(best, counts, axis=1)
        weights = np.exp(behind / SOFTNESS) * np.maximum(self.qualities, np.finfo(np.float32).eps)
        total = np.add.reduceat(weights * self.similarities, self.starts[:-1], axis=1)
        means = total / np.add.reduceat(weights, self.starts[:-1], axis=1)
        return np.asarray(np.minimum(means, best), np.float32)


def gather(
    index: VectorIndex, roster: Roster, queries: Embeddings, found: Neighbours, taken: Taken | None, search: Search
) -> Evidence:
    """What is to be known about everyone who has one of the shots that were found.

    All of their shots, unless one crop is looked for and each one's best shot decides: that one was found.

    Args:
        index: embeddings by key.
        roster: whose the shots are.
        queries: (Q, D) crops.
        found: shots, of those that are searched.
        taken: the shots that are searched; all if it is None.
        search: how.
    """
    places = roster.places(found.keys)
    owners = roster.owners.rows[places]
    members = [roster.member(owner) for owner in np.unique(owners).tolist()]
    if len(queries) == 1 and search.aggregate != "quality" and not search.rerank:
        similarities = found.similarities if found.similarities is not None else index.similarities(queries, found.keys)
        order = np.argsort(owners, kind="stable")
        bounds = np.flatnonzero(np.diff(owners[order], prepend=-1, append=-1))
        qualities = roster.qualities.rows[places[order]]
        return Evidence(members, bounds, found.keys[order], qualities, np.clip(similarities[:, order], -1, 1))
    mine = [searched_shots(roster, member, taken) for member in members]
    # So that sums over them do not depend on who was enrolled first.
    if search.aggregate == "quality":
        mine = [shots[np.argsort(roster.shot_ids.rows[roster.places(shots)])] for shots in mine]
    shots = np.concatenate([NO_KEYS, *mine])
    qualities = roster.qualities.rows[roster.places(shots)]
    similarities = np.clip(index.similarities(queries, shots), -1, 1)
    return Evidence(members, np.cumsum([0, *map(len, mine)]), shots, qualities, similarities)


def searched_shots(roster: Roster, member: Member, taken: Taken | None) -> Keys:
    """Those of an identity's shots that are searched."""
    return member.shots if taken is None else member.shots[taken.mask[roster.places(member.shots)]]


def shots_searched(roster: Roster, members: Sequence[Member], taken: Taken | None) -> Keys:
    """(M,) how many of each identity's shots are searched, of identities that have some."""
    counts: Keys = np.array([len(member.shots) for member in members], np.int64)
    if taken is None or not len(counts):
        return counts
    mine = taken.mask[roster.places(np.concatenate([member.shots for member in members]))]
    return np.add.reduceat(mine, np.cumsum(counts) - counts, dtype=np.int64)


def fused(similarities: Similarities, search: Search) -> Scores:
    """(...) similarities (Q, ...) of the crops made one."""
    precise = np.asarray(similarities, np.float64)
    if search.aggregate == "best":
        best: Scores = precise.max(axis=0)
        return best
    if search.aggregate == "quality" and search.qualities is not None and sum(search.qualities) > 0:
        weights = np.array(search.qualities) / sum(search.qualities)
        weighted: Scores = (precise.T * weights).sum(axis=-1)
        return weighted
    mean: Scores = precise.mean(axis=0)
    return mean


def best_shot(evidence: Evidence, roster: Roster, row: int) -> BestShot:
    """The shot of a candidate that is most like any crop; of equal ones, the smaller id."""
    mine = evidence.shots_of(row)
    similarities = evidence.highest[mine].tolist()
    best = max(similarities)
    shots = zip(evidence.shots[mine].tolist(), similarities, strict=True)
    equals = [roster.shot(key) for key, similarity in shots if similarity == best]
    shot_id, camera = min(equals, key=lambda shot: shot[0])
    return BestShot(shot_id, best, camera)
