import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from app.errors import IMAGE_TOO_LARGE, IMAGE_TOO_SMALL, UNDECODABLE, ProblemError, ProblemKind
from app.images import ImageLimits, decode_image, decode_picture
from tests.app.pictures import encode, pattern, rotated_by_exif

LIMITS = ImageLimits(max_bytes=100_000, max_pixels=1_000_000, min_side=8)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_on_every_decode_path(kind: str, orientation: int) -> None:
    data = rotated_by_exif(pattern(), orientation, kind)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))

    image = decode_image(data, LIMITS)

    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).max() <= 3


@pytest.mark.parametrize("kind", ["PNG", "BMP"])
def test_a_lossless_picture_comes_out_unchanged(kind: str) -> None:
    assert np.array_equal(decode_image(encode(pattern(), kind), LIMITS), pattern())


def test_cmyk_becomes_rgb() -> None:
    data = encode(Image.fromarray(pattern()).convert("CMYK"), "JPEG", quality=100)

    image = decode_image(data, LIMITS)

    assert np.abs(image.astype(int) - pattern()).mean() < 8


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    grey = (np.arange(64 * 32, dtype=np.uint16).reshape(64, 32) * 32).astype(np.uint16)

    image = decode_image(encode(Image.fromarray(grey), "PNG"), LIMITS)

    assert np.abs(image[:, :, 0].astype(int) - grey / 257).max() <= 1


def test_a_palette_picture_keeps_its_colours() -> None:
    two_colours = np.zeros((16, 16, 3), np.uint8)
    two_colours[:8] = (200, 30, 90)

    image = decode_image(encode(Image.fromarray(two_colours).convert("P", palette=Image.Palette.ADAPTIVE)), LIMITS)

    assert np.array_equal(image, two_colours)


def test_transparency_is_laid_on_white() -> None:
    invisible = np.zeros((16, 16, 4), np.uint8)

    assert (decode_image(encode(invisible), LIMITS) == 255).all()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_the_first_frame_of_an_animation_is_taken(kind: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("black", "white")]

    image = decode_image(encode(frames[0], kind, save_all=True, append_images=frames[1:]), LIMITS)

    assert image.max() < 10


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", UNDECODABLE),
        (b"not a picture at all", UNDECODABLE),
        (encode(pattern(), "JPEG")[:-200], UNDECODABLE),
        (encode(pattern(), "PNG")[:-100], UNDECODABLE),
        (encode(pattern(), "TIFF"), UNDECODABLE),
        (encode(pattern(1, 1)), IMAGE_TOO_SMALL),
        (encode(pattern(64, 7)), IMAGE_TOO_SMALL),
        (encode(np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8)), IMAGE_TOO_LARGE),
        (encode(Image.new("1", (1001, 1000))), IMAGE_TOO_LARGE),
    ],
    ids=["empty", "text", "cut jpeg", "cut png", "tiff", "1x1", "thin", "too many bytes", "too many pixels"],
)
def test_an_unusable_picture_is_refused_with_its_reason(data: bytes, kind: ProblemKind) -> None:
    with pytest.raises(ProblemError) as caught:
        decode_image(data, LIMITS, field="image")

    assert caught.value.kind == kind
    assert caught.value.field == "image"


@pytest.mark.parametrize(("width", "height"), [(40_000, 40_000), (10_000, 10_000), (0, 0), (2**31 - 1, 2**31 - 1)])
def test_a_decompression_bomb_is_refused_from_its_header(width: int, height: int) -> None:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", len(header)) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))

    with pytest.raises(ProblemError) as caught:
        decode_image(b"\x89PNG\r\n\x1a\n" + chunk, LIMITS)

    assert caught.value.kind in (IMAGE_TOO_LARGE, IMAGE_TOO_SMALL, UNDECODABLE)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("enough", "factor"), [(64 * 32, 1), (64 * 32 - 1, 2), (300, 4), (32, 8), (1, 8)])
def test_a_larger_picture_than_is_needed_is_decoded_smaller_and_upright(
    kind: str, orientation: int, enough: int, factor: int
) -> None:
    data = rotated_by_exif(pattern(), orientation, kind)
    whole = decode_image(data, LIMITS)

    picture = decode_picture(data, LIMITS, pixels_enough=enough)

    assert picture.size == whole.shape[:2]
    assert picture.image.shape[:2] == (whole.shape[0] // factor, whole.shape[1] // factor)
    assert picture.scale == pytest.approx([1 / factor, 1 / factor])
    shrunk = np.asarray(Image.fromarray(whole).reduce(factor))
    assert np.abs(picture.image.astype(int) - shrunk).max() <= 6


def test_sides_that_cannot_be_halved_evenly_are_rounded_up() -> None:
    picture = decode_picture(encode(pattern(101, 67), "JPEG"), LIMITS, pixels_enough=2000)

    assert (picture.size, picture.image.shape) == ((101, 67), (51, 34, 3))
    assert picture.scale == pytest.approx([34 / 67, 51 / 101])


def test_a_truncated_picture_is_refused_in_every_size() -> None:
    with pytest.raises(ProblemError):
        decode_picture(encode(pattern(), "JPEG")[:-200], LIMITS, pixels_enough=300)


def test_a_picture_with_a_very_long_side_is_refused() -> None:
    with pytest.raises(ProblemError, match="at most 500") as caught:
        decode_image(encode(pattern(501, 20)), ImageLimits(max_side=500))

    assert (caught.value.kind, caught.value.limit) == (IMAGE_TOO_LARGE, 500)


def test_fifty_megapixels_are_never_decoded_in_full() -> None:
    data = encode(Image.new("RGB", (10_000, 5_000), "grey"), "JPEG")

    picture = decode_picture(data, ImageLimits(), pixels_enough=16_000_000)

    assert picture.image.shape == (2500, 5000, 3)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF"])
def test_pictures_of_every_kind_can_be_written_to(kind: str) -> None:
    image = decode_image(encode(pattern(), kind), LIMITS)

    assert image.flags.writeable
    assert image.flags.c_contiguous
