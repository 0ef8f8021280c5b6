"""Small synthetic pictures of persons, so that the demo runs where there are no real ones."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

HEIGHT, WIDTH = 256, 128
MARGIN = 48
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Sample:
    """One picture, with who it shows and which camera took it."""

    identity: str
    camera: str
    jpeg: bytes


def sample_crops(identities: int = 12, cameras: int = 3, seed: int = 7) -> list[Sample]:
    """Draw every identity once for every camera.

    Clothes, hair and skin belong to the identity; background, light, stance and noise to the picture.
    """
    samples = []
    for person in range(identities):
        look = _Look.draw(np.random.default_rng((seed, person)))
        for camera in range(cameras):
            rng = np.random.default_rng((seed, person, camera))
            jpeg = _render(look, np.random.default_rng((seed, 1000 + camera)), rng)
            samples.append(Sample(f"sample-{person:02d}", f"c{camera + 1}", jpeg))
    return samples


def sample_street(people: int = 3, seed: int = 7) -> bytes:
    """Draw some of these people side by side; a JPEG."""
    scene = np.random.default_rng((seed, 2000))
    street = _ground(people * WIDTH, HEIGHT + 2 * MARGIN, scene)
    figures = Image.new("RGBA", (people * WIDTH, HEIGHT))
    for place in range(people):
        look = _Look.draw(np.random.default_rng((seed, place)))
        _figure(ImageDraw.Draw(figures), look, (place + 0.5) * WIDTH, np.random.default_rng((seed, place, 2000)))
    # People without room around them are not found.
    street.paste(figures, (0, MARGIN), figures)
    return _photographed(street, scene, scene)


@dataclass(frozen=True)
class _Look:
    skin: Colour
    hair: Colour
    shirt: Colour
    trousers: Colour
    shoes: Colour
    striped: bool
    bag: bool

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "_Look":
        tone = int(rng.integers(90, 220))
        return cls(
            (tone, int(tone * 0.8), int(tone * 0.65)),
            _colour(rng, 10, 120),
            _colour(rng, 20, 240),
            _colour(rng, 10, 200),
            _colour(rng, 10, 230),
            bool(rng.random() < 0.4),
            bool(rng.random() < 0.4),
        )


def _colour(rng: np.random.Generator, low: int, high: int) -> Colour:
    r, g, b = (int(value) for value in rng.integers(low, high, 3))
    return r, g, b


def _render(look: _Look, scene: np.random.Generator, rng: np.random.Generator) -> bytes:
    picture = _ground(WIDTH, HEIGHT, scene)
    _figure(ImageDraw.Draw(picture), look, WIDTH / 2 + rng.normal(0, 4), rng)
    return _photographed(picture, scene, rng)


def _ground(width: int, height: int, scene: np.random.Generator) -> Image.Image:
    picture = Image.new("RGB", (width, height), _colour(scene, 90, 190))
    ImageDraw.Draw(picture).rectangle((0, 0.75 * height - 2, width, height), fill=_colour(scene, 70, 150))
    return picture


def _photographed(picture: Image.Image, scene: np.random.Generator, rng: np.random.Generator) -> bytes:
    """A JPEG of a drawing, blurred, lit and noisy as a camera makes it."""
    pixels = np.asarray(picture.filter(ImageFilter.GaussianBlur(1.2)), np.float64)
    light = scene.uniform(0.75, 1.15) * rng.uniform(0.92, 1.08)
    noisy = np.clip(pixels * light + rng.normal(0, 6, pixels.shape), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(noisy).save(file, "JPEG", quality=88)
    return file.getvalue()


def _figure(draw: ImageDraw.ImageDraw, look: _Look, x: float, rng: np.random.Generator) -> None:
    stride, swing = rng.uniform(2, 16), rng.uniform(-10, 10)
    for side in (-1, 1):
        foot = x + side * stride
        draw.line((x + side * 9, 140, foot, 232), fill=look.trousers, width=20)
        draw.ellipse((foot - 11, 226, foot + 13, 240), fill=look.shoes)
    for side in (-1, 1):
        draw.line((x + side * 22, 70, x + side * 28 + side * swing, 140), fill=look.shirt, width=12)
        hand = x + side * 28 + side * swing
        draw.ellipse((hand - 6, 136, hand + 6, 150), fill=look.skin)
    draw.rounded_rectangle((x - 26, 58, x + 26, 148), 10, fill=look.shirt)
    if look.striped:
        for y in range(70, 146, 16):
            draw.line((x - 25, y, x + 25, y), fill=look.trousers, width=5)
    if look.bag:
        draw.rounded_rectangle((x + 14, 84, x + 36, 124), 5, fill=look.shoes)
    draw.ellipse((x - 14, 22, x + 14, 56), fill=look.skin)
    draw.chord((x - 15, 18, x + 15, 50), 180, 360, fill=look.hair)
