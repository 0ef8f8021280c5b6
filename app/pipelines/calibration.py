"""Calibrations of galleries: fitted on their own shots or on labelled pairs, and told with what they cost."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from app.errors import INDISTINCT_PEOPLE, NOT_CALIBRATED, TOO_FEW_COMPARISONS, ProblemError
from app.gallery.calibrations import Drift, StoredCalibration
from app.gallery.errors import CheckpointMismatch
from app.pipelines.reid import ReidPipeline
from models.calibration import CHANCE, Calibration, Comparisons, IndistinctPeopleError, fit_calibration
from models.comparisons import compare_people

HISTOGRAM_BINS = 40
CURVE_POINTS = 41
TARGETS = (0.001, 0.01, 0.05, 0.1)


@dataclass(frozen=True)
class Histograms:
    """How similarities are distributed; `edges` has one more entry than the counts."""

    edges: list[float]
    genuine: list[int]
    impostors: list[int]


@dataclass(frozen=True)
class OperatingPoint:
    """What a threshold costs in a gallery of this size.

    Attributes:
        threshold: similarity to an identity with one shot.
        fpir: how often a stranger is taken for somebody, as estimated from those that the calibration was fitted on.
        fnir: how often somebody is taken for a stranger, likewise.
    """

    threshold: float
    fpir: float
    fnir: float


@dataclass(frozen=True)
class CalibrationReport:
    """What similarities of a gallery are judged by.

    Attributes:
        source: whether it was fitted on the gallery or came with the checkpoint.
        calibration: the numbers.
        histograms: None for the checkpoint's.
        identities: how many people are in the gallery now.
        targets: points at which the rate of false positive identifications is a round number.
        curve: points from the median stranger to a similarity of 1.
        stored: when it was fitted; None for the checkpoint's.
        drift: how the gallery has changed since; None for the checkpoint's.
        gallery_version: now.
    """

    source: Literal["gallery", "checkpoint"]
    calibration: Calibration
    histograms: Histograms | None
    identities: int
    targets: list[OperatingPoint]
    curve: list[OperatingPoint]
    stored: StoredCalibration | None
    drift: Drift | None
    gallery_version: int


def calibrate(reid: ReidPipeline, gallery: str, pairs: Sequence[tuple[float, bool]] | None) -> CalibrationReport:
    """Fit a gallery's calibration; slow, so to be called in a thread.

    Args:
        reid: whose galleries they are.
        gallery: its name.
        pairs: similarities of pairs, and whether they show one person; without them, the gallery's own shots are
            compared.

    Raises:
        GalleryError: unknown gallery, or one of another checkpoint.
        ProblemError: there is too little to fit it on, or nothing that tells people apart.
    """
    info = reid.store.info(gallery)
    if info.checkpoint != reid.checkpoint.sha256:
        raise CheckpointMismatch(gallery, info.checkpoint, reid.checkpoint.sha256)
    if pairs is None:
        sample = reid.store.sample(gallery)
        comparisons = compare_people(sample.embeddings, sample.identities, sample.cameras)
        moment, fitted_on = sample.moment, "the gallery's own shots"
    else:
        similarities, same = np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs], bool)
        comparisons = Comparisons.of_pairs(similarities, same)
        moment, fitted_on = reid.store.moment(gallery), "labelled pairs"
    field = None if pairs is None else "pairs"
    try:
        fitted = fit_calibration(comparisons, fitted_on)
    except IndistinctPeopleError as error:
        cause = "are shots enrolled under the wrong person?" if pairs is None else "is `same` the wrong way round?"
        raise ProblemError(INDISTINCT_PEOPLE, f"{error}; {cause}", field=field, limit=CHANCE) from None
    except ValueError as error:
        raise ProblemError(TOO_FEW_COMPARISONS, str(error), field=field) from None
    histograms = _histograms(comparisons)
    reid.store.calibrate(gallery, {"calibration": asdict(fitted), "histograms": asdict(histograms)}, moment)
    return report(reid, gallery)


def report(reid: ReidPipeline, gallery: str) -> CalibrationReport:
    """What a gallery's similarities are judged by now; to be called in a thread.

    Raises:
        GalleryError: unknown gallery.
        ProblemError: neither the gallery nor the checkpoint has a calibration.
    """
    basis, stored, info = reid.basis(gallery), reid.store.calibration(gallery), reid.store.info(gallery)
    if basis.calibration is None or basis.source is None:
        detail = f"gallery {gallery!r} is not calibrated, and its checkpoint comes without a calibration"
        raise ProblemError(NOT_CALIBRATED, detail, field="gallery")
    calibration, size = basis.calibration, max(info.identities, 1)
    targets = [calibration.threshold(target, size) for target in TARGETS]
    curve = np.linspace(calibration.false_match_quantile(0.5), 1, CURVE_POINTS).tolist()
    return CalibrationReport(
        source=basis.source,
        calibration=calibration,
        histograms=_stored_histograms(stored),
        identities=info.identities,
        targets=[_point(calibration, threshold, size) for threshold in targets],
        curve=[_point(calibration, threshold, size) for threshold in curve],
        stored=stored,
        drift=reid.store.drift(gallery),
        gallery_version=info.version,
    )


def _point(calibration: Calibration, evidence: float, identities: int) -> OperatingPoint:
    return OperatingPoint(evidence, calibration.fpir(evidence, identities), calibration.false_non_match_rate(evidence))


def _histograms(comparisons: Comparisons) -> Histograms:
    edges = np.histogram_bin_edges(comparisons.similarities, HISTOGRAM_BINS)

    def counts(similarities: NDArray[np.float64]) -> list[int]:
        found: list[int] = np.histogram(similarities, edges)[0].tolist()
        return found

    similarities, genuine = comparisons.similarities, comparisons.genuine
    return Histograms(edges.tolist(), counts(similarities[genuine]), counts(similarities[~genuine]))


def _stored_histograms(stored: StoredCalibration | None) -> Histograms | None:
    if stored is None:
        return None
    values: dict[str, Any] = stored.report["histograms"]
    return Histograms(**values)
