"""What the service says about itself."""

from typing import Any

from pydantic import BaseModel, Field

from app.gait_uploads import MIN_FRAMES
from app.settings import Settings
from models.calibration import Calibration
from models.checkpoint import Checkpoint

FALSE_MATCH_RATES = (0.001, 0.01, 0.1)


class MatchPoint(BaseModel):
    """Where one person is told from another, when two sets of crops are compared."""

    similarity: float
    false_match_rate: float
    false_non_match_rate: float


class ModelCalibration(BaseModel):
    """The calibration that a checkpoint comes with; galleries may have their own."""

    fitted_on: str
    people: int
    genuine: int = Field(description="Comparisons of one person.")
    impostors: int = Field(description="Comparisons of two people.")
    equal_error_rate: float
    thresholds: list[MatchPoint]

    @classmethod
    def of(cls, calibration: Calibration) -> "ModelCalibration":
        """Map the domain object."""
        thresholds = [
            MatchPoint(
                similarity=calibration.threshold(rate, 1),
                false_match_rate=rate,
                false_non_match_rate=calibration.false_non_match_rate(calibration.threshold(rate, 1)),
            )
            for rate in FALSE_MATCH_RATES
        ]
        return cls(
            fitted_on=calibration.fitted_on,
            people=calibration.identities,
            genuine=calibration.genuine,
            impostors=calibration.impostors,
            equal_error_rate=calibration.equal_error_rate,
            thresholds=thresholds,
        )


class Model(BaseModel):
    """A served checkpoint."""

    name: str
    task: str
    network: str
    runtime: str = Field(description="What computes it: torch, onnxruntime or openvino.")
    precision: str = Field(description="In which it is computed: fp32, bf16 or int8.")
    sha256: str
    licence: str
    commercial_use: bool
    trained_on: list[str]
    input_size: tuple[int, int]
    measured: dict[str, Any]
    threshold: dict[str, Any] | None
    calibration: ModelCalibration | None = Field(description="Of re-identification; null if nobody was held out.")
    notes: str

    @classmethod
    def of(cls, checkpoint: Checkpoint, runtime: str, precision: str) -> "Model":
        """Map a manifest entry, and how its network is computed."""
        return cls(
            name=checkpoint.name,
            task=checkpoint.task,
            network=checkpoint.network,
            runtime=runtime,
            precision=precision,
            sha256=checkpoint.sha256,
            licence=checkpoint.licence,
            commercial_use=checkpoint.commercial_use,
            trained_on=list(checkpoint.trained_on),
            input_size=checkpoint.preprocessing.size,
            measured=checkpoint.measured,
            threshold=vars(checkpoint.threshold) if checkpoint.threshold else None,
            calibration=ModelCalibration.of(checkpoint.calibration) if checkpoint.calibration else None,
            notes=checkpoint.notes,
        )


class Models(BaseModel):
    """Answer of /models."""

    device: str
    models: list[Model]


class RequestLimits(BaseModel):
    """What one request may carry."""

    body_bytes: int
    images: int
    image_bytes: int
    image_pixels: int
    min_image_side: int
    interactive_items: int = Field(description="With more pictures a request is bulk work and lets others go first.")


class GaitLimits(BaseModel):
    """What one walk, or one video, may be for /gait/age; `request` holds as well, but for its number of images."""

    frames: int = Field(description="Silhouettes of one walk, at most.")
    min_frames: int = Field(description="Silhouettes of one walk, at least.")
    pixels: int = Field(description="Of all silhouettes of one walk together.")
    unpacked_bytes: int = Field(description="Of an archive of silhouettes.")
    video_frames: int
    video_seconds: int = Field(description="Of computing time for one video, to decode it and to look at it.")


class ServiceLimits(BaseModel):
    """How much the service takes in at once; beyond, callers get 503 or 429 with Retry-After."""

    items: int = Field(description="Pictures and tensors inside.")
    items_per_client: int = Field(description="Those of one client address.")
    bytes: int = Field(description="Of request bodies.")
    wait_seconds: float = Field(description="Nobody waits longer for a network.")
    batch_items: int = Field(description="Items in one forward pass.")


class CallerQuotas(BaseModel):
    """What one caller may use in a minute; null is no limit."""

    requests: int | None
    images: int | None
    kilobytes: int | None = Field(description="Of request bodies.")


class Limits(BaseModel):
    """Answer of /limits."""

    request: RequestLimits
    gait: GaitLimits
    service: ServiceLimits
    quotas_per_minute: CallerQuotas

    @classmethod
    def of(cls, settings: Settings, batch_items: int) -> "Limits":
        """Pick the limits out of the settings; the largest batch was found when the networks started."""
        request = RequestLimits(
            body_bytes=settings.max_body_bytes,
            images=settings.max_images,
            image_bytes=settings.max_image_bytes,
            image_pixels=settings.max_image_pixels,
            min_image_side=settings.min_image_side,
            interactive_items=settings.interactive_items,
        )
        gait = GaitLimits(
            frames=settings.gait_max_frames,
            min_frames=MIN_FRAMES,
            pixels=settings.gait_max_pixels,
            unpacked_bytes=settings.gait_max_unpacked_bytes,
            video_frames=settings.video_max_frames,
            video_seconds=settings.video_max_seconds,
        )
        service = ServiceLimits(
            items=settings.max_waiting,
            items_per_client=settings.max_waiting_per_client,
            bytes=settings.max_waiting_bytes,
            wait_seconds=settings.max_wait_seconds,
            batch_items=batch_items,
        )
        quotas = CallerQuotas(
            requests=settings.quota_requests or None,
            images=settings.quota_images or None,
            kilobytes=settings.quota_kilobytes or None,
        )
        return cls(request=request, gait=gait, service=service, quotas_per_minute=quotas)
