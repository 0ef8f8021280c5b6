"""How an error of a gallery looks to a client, for a whole request or for one item of it."""

from http import HTTPStatus

from app import errors
from app.errors import ProblemError
from app.gallery import errors as gallery

GALLERY_KINDS: dict[type[gallery.GalleryError], tuple[errors.ProblemKind, str | None]] = {
    gallery.UnknownGallery: (errors.UNKNOWN_GALLERY, "gallery"),
    gallery.UnknownIdentity: (errors.UNKNOWN_IDENTITY, "identity"),
    gallery.UnknownShot: (errors.UNKNOWN_SHOT, "shot"),
    gallery.GalleryExists: (errors.CONFLICT, "name"),
    gallery.IdentityExists: (errors.CONFLICT, "identity_id"),
    gallery.CheckpointMismatch: (errors.CHECKPOINT_MISMATCH, "gallery"),
    gallery.DimensionMismatch: (errors.INVALID_FIELD, "embedding"),
    gallery.InvalidEmbedding: (errors.INVALID_FIELD, "embedding"),
    gallery.InvalidMetadata: (errors.INVALID_FIELD, "metadata"),
    gallery.IdempotencyConflict: (errors.IDEMPOTENCY_CONFLICT, "Idempotency-Key"),
    gallery.IdempotencyKeySpent: (errors.IDEMPOTENCY_KEY_SPENT, "Idempotency-Key"),
    gallery.VersionNotReached: (errors.VERSION_NOT_REACHED, "min_version"),
    gallery.DamagedShot: (errors.DAMAGED, None),
    gallery.StorageFailure: (errors.STORAGE, None),
}


def gallery_problem(error: gallery.GalleryError) -> ProblemError:
    """The problem that an error of a gallery is."""
    kind, field = GALLERY_KINDS[type(error)]
    headers = {"Retry-After": "1"} if kind.status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return ProblemError(kind, str(error), field=field, headers=headers)
