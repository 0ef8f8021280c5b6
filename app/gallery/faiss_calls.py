"""What FAISS does for a gallery. The only importer of faiss.

FAISS crashes when what it searches is changed at once, accepts duplicate ids and loads flipped bytes. Here it only ever
sees arrays that nobody writes to any more, holds none of them, and keeps no files: ids, changes and bytes are ours.
"""

from collections.abc import Callable, Iterable
from typing import Any, Literal

import faiss
import numpy as np
from numpy.typing import NDArray

from app.gallery.changes import Keys
from app.gallery.domain import Embeddings
from app.gallery.index import Similarities

Rows = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Codes = Literal["float32", "float16", "int8"]

# From so many queries on, one matrix product beats a pass for each.
MATRIX_PRODUCT_FROM = 4
TRAINING_ROUNDS = 10


def nearest_rows(queries: Embeddings, rows: Embeddings, count: int) -> tuple[Similarities, Rows]:
    """The rows (N, D) most like each query (Q, D), by looking at all of them.

    Returns:
        similarities (Q, count), falling, and row numbers (Q, count); `count` is N at most.
    """
    # The threads of FAISS spin while they wait: on busy cores a search then takes hundreds of milliseconds. This
    # holds for the calling thread only.
    faiss.omp_set_num_threads(1)
    # FAISS compares this with queries times dimension; its default of 128000 is a hundred times too much. It is
    # global, but decides speed only.
    faiss.cvar.distance_compute_blas_threshold = MATRIX_PRODUCT_FROM * queries.shape[1]
    similarities, found = faiss.knn(queries, rows, count, metric=faiss.METRIC_INNER_PRODUCT)
    return similarities, found


def find_centres(sample: Embeddings, count: int, between: Callable[[], None]) -> Embeddings:
    """Unit vectors (count, D) around which the rows of a sample (S, D) gather: spherical k-means; S > count.

    `between` is called between the rounds and may raise.
    """
    faiss.omp_set_num_threads(1)
    # The sample is chosen by the caller, so neither too few nor too many rows are a reason to warn or to draw again.
    limits = {"min_points_per_centroid": 1, "max_points_per_centroid": len(sample)}
    centres = None
    for _ in range(TRAINING_ROUNDS):
        between()
        clustering = faiss.Kmeans(sample.shape[1], count, niter=1, spherical=True, **limits)
        clustering.train(sample, init_centroids=centres)
        centres = clustering.centroids
    return np.asarray(centres, np.float32)


class CodeList:
    """Codes (n, size) with their keys (n,), ready to be scanned again and again; neither is written to any more."""

    def __init__(self, codes: Bytes, keys: Keys) -> None:
        # Who has the addresses has the arrays.
        self._held = codes, keys
        self.scanned = len(keys), faiss.swig_ptr(codes), faiss.swig_ptr(keys)


class Coder:
    """Embeddings as the bytes that FAISS scans, one code a row.

    Args:
        kind: numbers as they are, in half precision, or in a byte each.
        dim: D.
        ranges: (2 D,) smallest value and width of each number, for int8.
    """

    def __init__(self, kind: Codes, dim: int, ranges: NDArray[np.float32] | None = None) -> None:
        self.kind, self.ranges = kind, ranges
        self._quantizer = faiss.IndexFlatIP(dim)
        self._index: Any
        # Each serves one search at a time. FAISS's wrapper cannot free them, so they are used again.
        self._scanners: list[Any] = []
        if kind == "float32":
            self._index = faiss.IndexIVFFlat(self._quantizer, dim, 1, faiss.METRIC_INNER_PRODUCT)
            return
        code = faiss.ScalarQuantizer.QT_8bit if kind == "int8" else faiss.ScalarQuantizer.QT_fp16
        product = faiss.METRIC_INNER_PRODUCT
        self._index = faiss.IndexIVFScalarQuantizer(self._quantizer, dim, 1, code, product, False)
        if ranges is not None:
            faiss.copy_array_to_vector(ranges, self._index.sq.trained)

    @classmethod
    def fitted(cls, kind: Codes, sample: Embeddings) -> "Coder":
        """A coder for rows like those of a sample (S, D)."""
        if kind != "int8":
            return cls(kind, sample.shape[1])
        faiss.omp_set_num_threads(1)
        quantizer = faiss.ScalarQuantizer(sample.shape[1], faiss.ScalarQuantizer.QT_8bit)
        quantizer.train(sample)
        return cls(kind, sample.shape[1], faiss.vector_to_array(quantizer.trained))

    def encode(self, rows: Embeddings) -> Bytes:
        """Codes (N, size) of rows (N, D)."""
        if self.kind == "float32":
            return np.ascontiguousarray(rows, np.float32).view(np.uint8)
        if self.kind == "float16":
            return np.ascontiguousarray(rows, np.float16).view(np.uint8)
        faiss.omp_set_num_threads(1)
        codes: Bytes = self._index.sq.compute_codes(np.ascontiguousarray(rows, np.float32))
        return codes

    def scan(self, query: Embeddings, lists: Iterable[CodeList], count: int) -> tuple[Similarities, Keys]:
        """The codes most like a query (D,), of several lists.

        Returns:
            At most `count` similarities and keys, in no order.
        """
        similarities = np.full(count, -np.inf, np.float32)
        found = np.full(count, -1, np.int64)
        query = np.ascontiguousarray(query, np.float32)
        scanner = self._scanner()
        scanner.set_query(faiss.swig_ptr(query))
        scanner.set_list(0, 0.0)
        best, best_keys = faiss.swig_ptr(similarities), faiss.swig_ptr(found)
        for one in lists:
            scanner.scan_codes(*one.scanned, best, best_keys, count)
        self._scanners.append(scanner)
        there = found >= 0
        return similarities[there], found[there]

    def _scanner(self) -> Any:  # noqa: ANN401  FAISS's classes have no types
        try:
            return self._scanners.pop()
        except IndexError:
            return self._index.get_InvertedListScanner(False, None, None)
