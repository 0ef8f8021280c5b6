"""What probabilities and decisions of a gallery rest on."""

from fastapi import APIRouter

from app import openapi
from app.pipelines.calibration import calibrate, report
from app.routers.deps import Reid
from app.schemas.calibration import Calibration, NewCalibration
from app.schemas.common import Name

router = APIRouter(prefix="/galleries/{gallery}/calibration", tags=["calibration"])


@router.post("", response_model=Calibration, responses=openapi.PROBLEMS)
async def fit(gallery: Name, reid: Reid, wanted: NewCalibration | None = None) -> Calibration:
    """Fit a calibration on the gallery's own shots, or on labelled pairs; it is used from now on."""
    labelled = wanted.pairs if wanted else None
    pairs = None if labelled is None else [(pair.similarity, pair.same) for pair in labelled]
    return Calibration.of(await reid.in_store(calibrate, reid, gallery, pairs))


@router.get("", response_model=Calibration, responses=openapi.PROBLEMS)
async def show(gallery: Name, reid: Reid) -> Calibration:
    """The calibration in use: the gallery's own, else the checkpoint's."""
    return Calibration.of(await reid.in_store(report, reid, gallery))


@router.delete("", response_model=Calibration, responses=openapi.PROBLEMS)
async def forget(gallery: Name, reid: Reid) -> Calibration:
    """Go back to the checkpoint's calibration."""
    await reid.in_store(reid.store.forget_calibration, gallery)
    return Calibration.of(await reid.in_store(report, reid, gallery))
