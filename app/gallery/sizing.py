"""Of which kind a gallery's index is: exact while the gallery is small, lists (IVF) once it is large."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from app.gallery.changes import Keys
from app.gallery.domain import Embeddings
from app.gallery.faiss_calls import Coder, Codes, find_centres, nearest_rows
from app.gallery.faiss_index import COMPACT_AFTER, FaissIndex
from app.gallery.index import VectorIndex
from app.gallery.ivf_index import IvfIndex
from app.gallery.lists import Homes, Training, centres_of
from app.gallery.recall import recall, sample_keys, true_neighbours
from app.gallery.snapshots import Snapshot, SnapshotFile

# Lists for N embeddings: this times the square root of N.
LISTS = 2.0
TRAINED_ON_EACH = 40
# For fewer a list is not worth a look.
LEAST_SHOTS_OF_A_LIST = 5
INT8_FROM_BYTES = 4 << 30
LEAST_SEARCHED_SHARE = 1 / 128

log = logging.getLogger("gaitkeeper")


@dataclass(frozen=True)
class IndexOptions:
    """How galleries are searched.

    Attributes:
        exact_below: with fewer shots every search looks at all of them; from so many on, into the likeliest lists.
        codes: how the numbers are held that are scanned. float32 as they came; float16 takes half of the memory; int8
            takes three quarters (a byte for scanning and half precision for ordering what was found) and is the
            fastest; auto is float32, and int8 for galleries of more than 4 GiB.
        recall: share of the ten most similar shots that a search has to find; so many lists are looked into.
        compact_after: so many changes of an exact index are never worth tidying up.
    """

    exact_below: int = 20_000
    codes: Codes | Literal["auto"] = "auto"
    recall: float = 0.98
    compact_after: int = COMPACT_AFTER

    def codes_for(self, embeddings: Embeddings) -> Codes:
        """The codes of so many embeddings (N, D)."""
        if self.codes != "auto":
            return self.codes
        return "int8" if embeddings.nbytes > INT8_FROM_BYTES else "float32"


DEFAULT_OPTIONS = IndexOptions()


@dataclass(frozen=True)
class SizedIndexes:
    """Builds the indexes of one gallery, and keeps what was learned for the next start.

    Attributes:
        options: how it is searched.
        snapshots: where that is kept; nowhere if it is None.
        clock: seconds since 1970.
        between: called now and then by what takes long; may raise `Stopped`.
    """

    options: IndexOptions = DEFAULT_OPTIONS
    snapshots: SnapshotFile | None = None
    clock: Callable[[], float] = time.time
    between: Callable[[], None] = lambda: None

    def build(self, version: int, keys: Keys, embeddings: Embeddings) -> VectorIndex:
        """The index of a gallery that is opened, without learning anything: an `IndexBuilder`.

        A large gallery without a snapshot gets an exact index, which wants to be compacted at once.
        """
        snapshot = None
        if self.snapshots is not None and len(keys) >= self.options.exact_below:
            snapshot = self.snapshots.read(version)
        if snapshot is None or snapshot.coder.kind != self.options.codes_for(embeddings):
            return self._exact(version, keys, embeddings)
        training, homes = _taken_up(snapshot, keys, embeddings)
        return IvfIndex.fill(version, keys, embeddings, homes, training, self.rebuild, self.tend)

    def rebuild(self, version: int, keys: Keys, embeddings: Embeddings) -> VectorIndex:
        """The best index for a gallery of this size; slow where it has to be trained: an `IndexBuilder`."""
        if len(keys) < self.options.exact_below:
            if self.snapshots is not None:
                self.snapshots.erase()
            return self._exact(version, keys, embeddings)
        started = time.perf_counter()
        training = train(embeddings, self.options.codes_for(embeddings), self.clock(), self.between)
        homes = training.homes_of(embeddings, self.between)
        # As the next start has them.
        training = replace(training, centres=centres_of(embeddings, homes, len(training.centres), self.between))
        index = self.tend(IvfIndex.fill(version, keys, embeddings, homes, training, self.rebuild, self.tend))
        seconds = time.perf_counter() - started
        log.info("an index of %d lists for %d shots was made in %.1f s", len(index.lists), len(index), seconds)
        return index

    def tend(self, index: IvfIndex) -> IvfIndex:
        """Measure how well an index finds, let it look into as many lists as that takes, and write a snapshot of it."""
        own = sample_keys(index.keys.rows)
        queries = index.embeddings(own)
        truth = true_neighbours(queries, own, index.keys.rows, self._paced(index))
        tended = _tuned(index, self.options.recall, lambda tried: recall(tried, queries, own, truth))
        if self.snapshots is not None:
            try:
                self.snapshots.write(Snapshot.of(index.version, tended.training, index.keys.rows, index.homes.rows))
            except OSError:
                # Without it the next start only takes longer.
                log.warning("the snapshot of an index could not be written", exc_info=True)
        return tended

    def _paced(self, index: IvfIndex) -> Callable[[slice], Embeddings]:
        def part(here: slice) -> Embeddings:
            self.between()
            return index.embeddings(index.keys.rows[here])

        return part

    def _exact(self, version: int, keys: Keys, embeddings: Embeddings) -> FaissIndex:
        options = self.options
        return FaissIndex.build(version, keys, embeddings, options.compact_after, options.exact_below, self.rebuild)


def train(embeddings: Embeddings, codes: Codes, now: float, between: Callable[[], None]) -> Training:
    """Learn the lists and codes of embeddings (N, D); how many lists to search is still to be found."""
    wanted = max(1, min(round(LISTS * np.sqrt(len(embeddings))), len(embeddings) // LEAST_SHOTS_OF_A_LIST))
    chosen = np.random.default_rng(0).permutation(len(embeddings))[: TRAINED_ON_EACH * wanted]
    sample = embeddings[np.sort(chosen)]
    centres = find_centres(sample, wanted, between)
    members = np.bincount(nearest_rows(sample, centres, 1)[1][:, 0], minlength=len(centres))
    centres = centres[members >= min(LEAST_SHOTS_OF_A_LIST, members.max())]
    return Training(centres, Coder.fitted(codes, sample), len(centres), None, now, len(embeddings))


def _tuned(index: IvfIndex, wanted: float, measure: Callable[[IvfIndex], float]) -> IvfIndex:
    """An index that looks into the smallest number of lists, of a doubling series, in which the wanted recall is."""
    lists = len(index.lists)
    searched = max(1, round(lists * LEAST_SEARCHED_SHARE))
    while True:
        found = measure(searching(index, searched, None))
        if found >= wanted or searched == lists:
            return searching(index, searched, found)
        searched = min(2 * searched, lists)


def searching(index: IvfIndex, searched: int, found: float | None) -> IvfIndex:
    """The same index, looking into so many lists, with the recall that this was found to give."""
    return replace(index, training=replace(index.training, lists_searched=searched, recall_at_10=found))


def _taken_up(snapshot: Snapshot, keys: Keys, embeddings: Embeddings) -> tuple[Training, Homes]:
    """A training and the lists of all embeddings: those that the snapshot knows, and the likeliest of the others."""
    places = np.minimum(np.searchsorted(snapshot.keys, keys), len(snapshot.keys) - 1)
    homes = snapshot.homes[places]
    (unknown,) = np.nonzero(snapshot.keys[places] != keys)
    homes[unknown] = snapshot.lists  # in none yet
    training = snapshot.training(centres_of(embeddings, homes, snapshot.lists + 1)[: snapshot.lists])
    homes[unknown] = training.homes_of(embeddings[unknown])
    return training, homes
