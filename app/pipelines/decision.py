"""Is the first of a ranking the person? Probabilities, and a decision that accounts for the gallery's size."""

from dataclasses import dataclass
from typing import Literal

from app.errors import NOT_CALIBRATED, ProblemError
from app.gallery.calibrations import StoredCalibration
from app.gallery.domain import Ranking
from models.calibration import Calibration
from models.checkpoint import Checkpoint

Verdict = Literal["match", "unknown"]

DEFAULT_TARGET_FPIR = 0.01
DEFAULT_TARGET_FMR = 0.001


@dataclass(frozen=True)
class Basis:
    """What similarities are judged by.

    Attributes:
        calibration: None if there is none; then the checkpoint's threshold decides, for any gallery alike.
        source: where it was fitted: on the gallery itself, or with the checkpoint.
        stale_since: when the gallery had changed so much since that it should be fitted again; None if it should not.
    """

    checkpoint: Checkpoint
    calibration: Calibration | None
    source: Literal["gallery", "checkpoint"] | None
    stale_since: float | None = None

    @classmethod
    def of(cls, checkpoint: Checkpoint, stored: StoredCalibration | None) -> "Basis":
        """The gallery's own calibration where it has one, else the checkpoint's."""
        if stored is not None:
            return cls(checkpoint, Calibration.read(stored.report["calibration"]), "gallery", stored.stale_since)
        source: Literal["checkpoint"] | None = "checkpoint" if checkpoint.calibration else None
        return cls(checkpoint, checkpoint.calibration, source)


@dataclass(frozen=True)
class Decision:
    """A verdict and what it rests on.

    Attributes:
        threshold: similarity from which the first one would have been a match; None if there is nothing to decide by.
        target_fpir: false positive identification rate that the threshold was chosen for; None without calibration.
        probabilities: of each ranked identity to be the person, in order; None without calibration.
        unknown_probability: that the person is nobody of those who were judged; None without calibration.
        basis: what similarities were judged by.
    """

    verdict: Verdict
    threshold: float | None
    target_fpir: float | None
    probabilities: list[float] | None
    unknown_probability: float | None
    basis: Basis


def decide(ranking: Ranking, basis: Basis, target_fpir: float | None) -> Decision:
    """Decide whether the most similar identity of a ranking is the person.

    With a calibration the threshold rises with the number of identities that were searched, and with the number of the
    first one's shots: among many, a stranger finds somebody alike more easily. Probabilities are shared among those who
    were judged, so that they are the same however many are listed.

    Raises:
        ProblemError: a rate is asked for, and there is no calibration.
    """
    calibration = basis.calibration
    if calibration is None:
        if target_fpir is not None:
            raise _not_calibrated(basis.checkpoint)
        return _by_checkpoint(ranking, basis)
    target = target_fpir or DEFAULT_TARGET_FPIR
    found, identities = ranking.identities, max(ranking.searched, 1)
    shots = found[0].shots if found else 1
    threshold = calibration.similarity(calibration.threshold(target, identities), shots)
    judged = len(ranking.judged.shots)
    similarities = ranking.judged.similarities + [one.similarity for one in found[judged:]]
    counts = ranking.judged.shots + [one.shots for one in found[judged:]]
    evidence = calibration.evidence_of_each(similarities, counts)
    probabilities = calibration.probabilities(evidence, identities, judged)
    verdict: Verdict = "match" if found and found[0].similarity >= threshold else "unknown"
    unknown = max(0.0, 1 - float(probabilities[:judged].sum()))
    return Decision(verdict, threshold, target, probabilities[: len(found)].tolist(), unknown, basis)


@dataclass(frozen=True)
class Verified:
    """Whether two sets of crops show one person.

    Attributes:
        threshold: similarity from which they do; None if there is nothing to decide by.
        target_fmr: false match rate that the threshold was chosen for; None without calibration.
        probability: that they do, if as many pairs show one person as two; None without calibration.
    """

    verdict: Verdict
    threshold: float | None
    target_fmr: float | None
    probability: float | None


def verify(similarity: float, shots: int, checkpoint: Checkpoint, target_fmr: float | None) -> Verified:
    """Decide whether two sets of crops show one person.

    Args:
        similarity: of the sets.
        shots: crops among which the most similar one could be chosen.
        checkpoint: what embedded them. Without a calibration its one threshold decides.
        target_fmr: rate of two people taken for one that the threshold is set for; a thousandth if not given.

    Raises:
        ProblemError: a rate is asked for, and there is no calibration.
    """
    calibration = checkpoint.calibration
    if calibration is None:
        if target_fmr is not None:
            detail = (
                f"checkpoint {checkpoint.name!r} comes without a calibration, so no threshold can be set for a rate"
            )
            raise ProblemError(NOT_CALIBRATED, detail, field="target_fmr")
        threshold, target, probability = checkpoint.threshold.similarity if checkpoint.threshold else None, None, None
    else:
        target = target_fmr or DEFAULT_TARGET_FMR
        threshold = calibration.similarity(calibration.threshold(target, 1), shots)
        probability = calibration.probability(calibration.evidence(similarity, shots))
    verdict: Verdict = "match" if threshold is not None and similarity >= threshold else "unknown"
    return Verified(verdict, threshold, target, probability)


def _by_checkpoint(ranking: Ranking, basis: Basis) -> Decision:
    threshold = basis.checkpoint.threshold
    best = ranking.identities[0].similarity if ranking.identities else -1.0
    matches = threshold is not None and best >= threshold.similarity
    similarity = threshold.similarity if threshold else None
    return Decision("match" if matches else "unknown", similarity, None, None, None, basis)


def _not_calibrated(checkpoint: Checkpoint) -> ProblemError:
    detail = (
        f"checkpoint {checkpoint.name!r} comes without a calibration and the gallery has none, so no threshold can be"
        " set for a rate; POST /v1/galleries/{gallery}/calibration fits one"
    )
    return ProblemError(NOT_CALIBRATED, detail, field="target_fpir")
