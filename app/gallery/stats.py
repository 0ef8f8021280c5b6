"""What a gallery says of its size and of how it is searched."""

from dataclasses import dataclass

from app.gallery.domain import GalleryInfo
from app.gallery.index import IndexStats


@dataclass(frozen=True)
class GalleryStats:
    """A gallery and its index at one moment; `is_building` while a better index is made in the background."""

    gallery: GalleryInfo
    index: IndexStats
    is_building: bool
