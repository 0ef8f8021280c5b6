"""What one comparison with the authors' code found."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """One output of one case.

    Attributes:
        case: name of the case, such as `rrid_384x128_b2` or `post_hrnet/decode_coco`.
        output: name of the output within the case.
        error: largest absolute difference in the unit of `tolerance`; infinite where nothing could be compared.
        tolerance: the largest error that still passes; 0 where the outputs must be equal.
        passed: the verdict. Not always `error <= tolerance`: a case may also ask for equal keys or equal indices.
    """

    case: str
    output: str
    error: float
    tolerance: float
    passed: bool
