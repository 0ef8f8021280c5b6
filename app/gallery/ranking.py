"""Shots to identities: evidence of all shots and all crops fused, ties broken the same way every time."""

import sys
from collections.abc import Iterator

import numpy as np

from app.gallery.changes import Keys
from app.gallery.domain import Embeddings, Judged, RankedIdentity, Ranking, Search
from app.gallery.evidence import Evidence, Scores, best_shot, fused, gather, shots_searched
from app.gallery.filters import Taken, take
from app.gallery.index import Neighbours, Similarities, VectorIndex
from app.gallery.reranking import k_reciprocal_distances
from app.gallery.roster import Roster

LEAST_REACH = 64
REACH_GROWTH = 16
# So many shots are compared one by one faster than an index finds them among those that a filter leaves out.
EXACT_BELOW = 10_000
# More would cost a search more, and whoever comes after them hardly counts.
JUDGED_IDENTITIES = 10
RERANKED_IDENTITIES = 50
RERANKED_SHOTS_EACH = 8


def rank(index: VectorIndex, roster: Roster, queries: Embeddings, search: Search) -> Ranking:
    """The identities that fit the queries best.

    A crop is as similar to an identity as to the identity's most similar shot; over the crops these are fused. The
    index is asked for more until no identity that it has not named can be among the best (the threshold algorithm of
    Fagin, Lotem and Naor, 2003), so that with an exact index the ranking is exact, whatever is filtered out.

    Args:
        index: embeddings by shot key.
        roster: whose the shots are, at the same version.
        queries: (Q, D) float32 unit rows, all of one person.
        search: how; its minimal version is not looked at.

    Returns:
        Best first; of equal ones, the smaller identity id.
    """
    taken = None if search.filter.takes_all else take(roster, search.filter)
    judged = RERANKED_IDENTITIES if search.rerank else JUDGED_IDENTITIES
    wanted = max(search.limit, judged)
    evidence, scores = _candidates(index, roster, queries, search, taken, wanted)
    rows = _best_rows(evidence, scores, wanted)
    distances: dict[int, float] = {}
    if search.rerank:
        distances = _distances(index, roster, queries, evidence, rows[:RERANKED_IDENTITIES])
        # Sorting is stable, so what is not re-ranked follows as it was.
        rows.sort(key=lambda row: distances.get(row, np.inf))
    shots = shots_searched(roster, [evidence.members[row] for row in rows], taken)
    identities = [
        RankedIdentity(
            rank=rank,
            identity_id=evidence.members[row].identity_id,
            label=evidence.members[row].label,
            similarity=float(scores[row]),
            shots=count,
            best_shot=best_shot(evidence, roster, row),
            reranked_distance=distances.get(row),
        )
        for rank, (row, count) in enumerate(zip(rows[: search.limit], shots.tolist(), strict=False), start=1)
    ]
    searched = len(roster.members) if taken is None else taken.identities
    return Ranking(identities, index.version, searched, _judged(scores[rows], shots, judged))


def _candidates(
    index: VectorIndex, roster: Roster, queries: Embeddings, search: Search, taken: Taken | None, wanted: int
) -> tuple[Evidence, Scores]:
    """Enough of the gallery to hold the best `wanted` identities, with their scores."""
    identities = len(roster.members) if taken is None else taken.identities
    # Half as much again as the best would need if everyone had as many shots.
    reach = max(LEAST_REACH, 3 * wanted * len(index) // (2 * identities + 1))
    if taken is not None and len(taken.keys) <= EXACT_BELOW:
        reach = sys.maxsize
    for found in _ever_more(index, roster, queries, reach, taken, max(LEAST_REACH, 2 * wanted)):
        evidence = gather(index, roster, queries, found, taken, search)
        scores = evidence.scores(search)
        unseen = fused(found.ceiling, search)
        if unseen == -np.inf or np.count_nonzero(scores > unseen) >= wanted:
            break
    return evidence, scores


def _ever_more(
    index: VectorIndex, roster: Roster, queries: Embeddings, reach: int, taken: Taken | None, few: int
) -> Iterator[Neighbours]:
    """More candidates each time, until there are no more; the first time a few if their similarities are known."""
    while True:
        found = _nearest(index, roster, queries, reach, taken)
        # To look up whose a shot is costs more than this, and mostly a few shots show enough people.
        if found.similarities is not None and len(found.keys) > few:
            yield _foremost(found, found.similarities, few)
        yield found
        reach *= REACH_GROWTH
        # Where the crops together may name everyone, one more look settles it.
        if reach * len(queries) >= len(index):
            reach = sys.maxsize


def _foremost(found: Neighbours, similarities: Similarities, count: int) -> Neighbours:
    """The candidates that are most like a query, as if it had been asked for no more."""
    order = np.argpartition(-similarities.max(axis=0), count)
    first = np.sort(order[:count])
    ceiling = np.maximum(found.ceiling, similarities[:, order[count:]].max(axis=1))
    return Neighbours(found.keys[first], ceiling, similarities[:, first])


def _nearest(index: VectorIndex, roster: Roster, queries: Embeddings, reach: int, taken: Taken | None) -> Neighbours:
    if taken is None:
        return index.nearest(queries, reach)
    if reach == sys.maxsize:
        nothing_above: Similarities = np.full(len(queries), -np.inf, np.float32)
        return Neighbours(taken.keys, nothing_above)
    found = index.nearest(queries, reach)
    mask = taken.mask[roster.places(found.keys)]
    similarities = None if found.similarities is None else found.similarities[:, mask]
    return Neighbours(found.keys[mask], found.ceiling, similarities)


def _best_rows(evidence: Evidence, scores: Scores, count: int) -> list[int]:
    """The best so many, and those that are as good as the last of them."""
    enough = np.partition(scores, -count)[-count] if len(scores) > count else -np.inf
    rows: list[int] = np.flatnonzero(scores >= enough).tolist()
    rows.sort(key=lambda row: (-scores[row], evidence.members[row].identity_id))
    return rows


def _judged(similarities: Scores, shots: Keys, count: int) -> Judged:
    """The best so many, and those that are as good as the last of them: ids must not decide who is among them."""
    least = np.partition(similarities, -count)[-count] if len(similarities) > count else -np.inf
    best = np.count_nonzero(similarities >= least)
    return Judged(similarities[:best].tolist(), shots[:best].tolist())


def _distances(
    index: VectorIndex, roster: Roster, queries: Embeddings, evidence: Evidence, rows: list[int]
) -> dict[int, float]:
    """Re-ranked distance of some candidates, by row: of each crop to the nearest shot, averaged over the crops."""
    if not rows:
        return {}
    shown = [_most_alike(roster, evidence, row) for row in rows]
    starts = np.cumsum([0, *map(len, shown[:-1])])
    distances = k_reciprocal_distances(queries, index.embeddings(np.concatenate(shown)))
    nearest = np.minimum.reduceat(distances, starts, axis=1).mean(axis=0)
    return dict(zip(rows, nearest.tolist(), strict=True))


def _most_alike(roster: Roster, evidence: Evidence, row: int) -> Keys:
    mine = evidence.shots_of(row)
    shots, similarities = evidence.shots[mine], evidence.highest[mine]
    order = np.lexsort((roster.shot_ids.rows[roster.places(shots)], -similarities))
    return shots[order[:RERANKED_SHOTS_EACH]]
