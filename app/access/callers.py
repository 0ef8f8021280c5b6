"""Callers and what they may do."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """What a key allows.

    `infer` embeds, verifies, poses and ages, and touches no gallery; `query` reads and searches galleries; `enroll`
    adds to and changes them; `erase` removes from them; `admin` does all that everywhere, and makes galleries.
    """

    INFER = "infer"
    QUERY = "query"
    ENROLL = "enroll"
    ERASE = "erase"
    ADMIN = "admin"


class ForbiddenError(Exception):
    """The caller lacks a scope.

    Attributes:
        scope: the one that is needed.
    """

    def __init__(self, scope: Scope) -> None:
        super().__init__(f"this key does not have the scope {scope.value!r}")
        self.scope = scope


class HiddenGalleryError(Exception):
    """The caller may not know whether this gallery exists."""

    def __init__(self, gallery: str) -> None:
        super().__init__(f"there is no gallery {gallery!r}")


@dataclass(frozen=True)
class Caller:
    """Who sent a request.

    Attributes:
        name: the key's id, or the address of a caller without one; what quotas and fairness count by.
        scopes: what the caller may do.
        galleries: where; None is everywhere.
    """

    name: str
    scopes: frozenset[Scope]
    galleries: frozenset[str] | None = None

    def require(self, scope: Scope, gallery: str | None = None) -> None:
        """Check that the caller may do something, in a gallery if one is given.

        The gallery is checked first and without a look at the records, so that neither the answer nor its time tells
        whether somebody else's gallery exists.

        Raises:
            HiddenGalleryError: the gallery is not one of the caller's.
            ForbiddenError: the caller lacks the scope.
        """
        if gallery is not None and not self.sees(gallery):
            raise HiddenGalleryError(gallery)
        if scope not in self.scopes and Scope.ADMIN not in self.scopes:
            raise ForbiddenError(scope)

    def sees(self, gallery: str) -> bool:
        """Whether a gallery is one of the caller's."""
        return self.galleries is None or gallery in self.galleries


def everything(name: str) -> Caller:
    """A caller who may do everything: what everybody is while the service runs without keys."""
    return Caller(name, frozenset(Scope))


def parse_scopes(names: Iterable[str]) -> frozenset[Scope]:
    """Scopes by their names.

    Raises:
        ValueError: a name is unknown, or there are none.
    """
    chosen = list(names)
    known = {scope.value for scope in Scope}
    unknown = sorted(set(chosen) - known)
    if unknown or not chosen:
        raise ValueError(f"scope {unknown[0] if unknown else ''!r} is unknown; choose of {', '.join(Scope)}")
    return frozenset(Scope(name) for name in chosen)
