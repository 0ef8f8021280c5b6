import numpy as np
import orjson
import pytest

from app.samples import sample_crops
from benchmarks.pictures import ROW, as_served, by_fastapi, difference, here, photo, with_pillow


@pytest.mark.parametrize("jpeg", [photo(540, 960), sample_crops(1, 1)[0].jpeg], ids=["photo", "crop"])
def test_pictures_are_seen_as_pillow_resizes_them(jpeg: bytes) -> None:
    assert difference(jpeg) < 0.001
    np.testing.assert_allclose(here(jpeg).numpy(), with_pillow(jpeg), atol=0.05)


def test_both_answers_carry_the_same_numbers() -> None:
    served, plain = (orjson.loads(answer(ROW))["embedding"] for answer in (as_served, by_fastapi))

    np.testing.assert_array_equal(np.float32(served), np.float32(plain))
