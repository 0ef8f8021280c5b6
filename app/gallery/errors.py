"""What can go wrong with a gallery. Every case says who is concerned; none knows of HTTP."""


class GalleryError(Exception):
    """Any of the cases below."""


class UnknownGallery(GalleryError):
    """There is no gallery of that name."""

    def __init__(self, gallery: str) -> None:
        super().__init__(f"there is no gallery {gallery!r}")
        self.gallery = gallery


class UnknownIdentity(GalleryError):
    """The gallery has no such identity."""

    def __init__(self, gallery: str, identity_id: str) -> None:
        super().__init__(f"gallery {gallery!r} has no identity {identity_id!r}")
        self.gallery, self.identity_id = gallery, identity_id


class UnknownShot(GalleryError):
    """The identity has no such shot."""

    def __init__(self, gallery: str, identity_id: str, shot_id: str) -> None:
        super().__init__(f"identity {identity_id!r} of gallery {gallery!r} has no shot {shot_id!r}")
        self.gallery, self.identity_id, self.shot_id = gallery, identity_id, shot_id


class GalleryExists(GalleryError):
    """A gallery of that name is there already."""

    def __init__(self, gallery: str) -> None:
        super().__init__(f"there is a gallery {gallery!r} already")
        self.gallery = gallery


class CheckpointMismatch(GalleryError):
    """Embeddings of one network meet a gallery of another; `expected` and `given` are sha256 of weights."""

    def __init__(self, gallery: str, expected: str, given: str) -> None:
        super().__init__(f"gallery {gallery!r} holds embeddings of checkpoint {expected}, these are of {given}")
        self.gallery, self.expected, self.given = gallery, expected, given


class DimensionMismatch(GalleryError):
    """Embeddings have another length than the gallery's."""

    def __init__(self, gallery: str, expected: int, given: int) -> None:
        super().__init__(f"gallery {gallery!r} holds embeddings of {expected} numbers, these have {given}")
        self.gallery, self.expected, self.given = gallery, expected, given


class InvalidEmbedding(GalleryError):
    """An embedding is not a finite vector of unit length; `index` counts within the call."""

    def __init__(self, gallery: str, index: int, length: float) -> None:
        super().__init__(f"embedding {index} for gallery {gallery!r} has length {length:.6g}; it has to be 1")
        self.gallery, self.index, self.length = gallery, index, length


class InvalidMetadata(GalleryError):
    """Metadata cannot be written as JSON."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"metadata cannot be written as JSON: {reason}")
        self.reason = reason


class IdempotencyConflict(GalleryError):
    """An idempotency key comes back with another enrolment than the first time."""

    def __init__(self, gallery: str, idempotency_key: str) -> None:
        super().__init__(f"idempotency key {idempotency_key!r} was used in gallery {gallery!r} for something else")
        self.gallery, self.idempotency_key = gallery, idempotency_key


class IdempotencyKeySpent(GalleryError):
    """An idempotency key comes back after the identity that it enrolled has gone."""

    def __init__(self, gallery: str, idempotency_key: str) -> None:
        super().__init__(
            f"what idempotency key {idempotency_key!r} enrolled in gallery {gallery!r} was erased since, or moved to"
            " another gallery; to enrol it anew, send another key"
        )
        self.gallery, self.idempotency_key = gallery, idempotency_key


class VersionNotReached(GalleryError):
    """A search asks for a version of the gallery that is still to come."""

    def __init__(self, gallery: str, wanted: int, current: int) -> None:
        super().__init__(f"gallery {gallery!r} is at version {current}; version {wanted} has not been reached")
        self.gallery, self.wanted, self.current = gallery, wanted, current


class IdentityExists(GalleryError):
    """There is an identity of that name already."""

    def __init__(self, gallery: str, identity_id: str) -> None:
        super().__init__(f"gallery {gallery!r} has an identity {identity_id!r} already")
        self.gallery, self.identity_id = gallery, identity_id


class DamagedShot(GalleryError):
    """A stored embedding is missing, or not the one that was enrolled: its checksum does not fit."""

    def __init__(self, gallery: str, shot_id: str) -> None:
        super().__init__(f"the stored embedding of shot {shot_id!r} in gallery {gallery!r} is missing or damaged")
        self.gallery, self.shot_id = gallery, shot_id


class StorageFailure(GalleryError):
    """The records cannot be read or written: the disk is full, read-only, broken, or not ours."""
