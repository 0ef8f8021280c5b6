from app.gallery.errors import GalleryError
from app.pipelines.problems import GALLERY_KINDS


def test_everything_that_can_go_wrong_in_a_gallery_has_a_problem() -> None:
    assert set(GALLERY_KINDS) == set(GalleryError.__subclasses__())
