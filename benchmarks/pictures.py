"""Pictures in and numbers out: decoding and resizing against Pillow, an answer against FastAPI's own encoder."""

import io
import json
import time
from collections.abc import Callable, Iterator

import numpy as np
import orjson
import torch
from fastapi.encoders import jsonable_encoder
from numpy.typing import NDArray
from PIL import Image

from app.images import ImageLimits, decode_image
from app.samples import sample_crops
from benchmarks.timing import Comparison, compare
from models.transforms import Normalisation, resize, to_tensor

SIZE = (256, 128)
DIMENSIONS = 2048


def run() -> Iterator[str]:
    """Yield the lines of the report; processor time of one thread."""
    torch.set_num_threads(1)
    yield f"to {SIZE[0]}x{SIZE[1]}, CPU ms, one thread; difference: mean absolute, relative to Pillow's"
    yield "| picture | Pillow bilinear | here | ratio | difference |"
    yield "| --- | --- | --- | --- | --- |"
    for name, jpeg in (("photo 1920x1080", photo(1080, 1920)), ("crop 128x256", sample_crops(1, 1)[0].jpeg)):
        compared = _compare(lambda: with_pillow(jpeg), lambda: here(jpeg))  # noqa: B023
        apart = f"{100 * difference(jpeg):.3f} %"
        yield f"| {name} | {compared.a:.2f} | {compared.b:.2f} | {compared.ratio:.2f} | {apart} |"
    answer = _compare(lambda: by_fastapi(ROW), lambda: as_served(ROW))
    yield (
        f"an answer of {DIMENSIONS} numbers, CPU ms: FastAPI's plain `return dict` {answer.a:.3f}, "
        f"here {answer.b:.3f}, ratio {answer.ratio:.1f}"
    )


def photo(height: int, width: int) -> bytes:
    """A JPEG with soft shapes and some noise."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(30, 220, (height // 40, width // 40, 3), np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.float64)
    file = io.BytesIO()
    noisy = np.clip(smooth + rng.normal(0, 4, smooth.shape), 0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(file, "JPEG", quality=90)
    return file.getvalue()


def with_pillow(jpeg: bytes) -> NDArray[np.float32]:
    """Decode, resize and normalise as most services do: (3, *SIZE)."""
    seen, normalisation = resized_by_pillow(jpeg), Normalisation()
    mean, std = np.array(normalisation.mean, np.float32), np.array(normalisation.std, np.float32)
    normalised: NDArray[np.float32] = (np.asarray(seen, np.float32) / np.float32(255) - mean) / std
    return normalised.transpose(2, 0, 1)


def resized_by_pillow(jpeg: bytes) -> NDArray[np.uint8]:
    """Decode and resize with Pillow: (*SIZE, 3)."""
    picture = Image.open(io.BytesIO(jpeg)).convert("RGB")
    return np.asarray(picture.resize(SIZE[::-1], Image.Resampling.BILINEAR))


def here(jpeg: bytes) -> torch.Tensor:
    """The same as the service does it."""
    return Normalisation()(resize(to_tensor(decode_image(jpeg, ImageLimits())), SIZE))


def difference(jpeg: bytes) -> float:
    """Mean absolute difference of the resized pictures, relative to the mean of Pillow's."""
    theirs = resized_by_pillow(jpeg).astype(np.float64)
    ours = resize(to_tensor(decode_image(jpeg, ImageLimits())), SIZE).permute(1, 2, 0).double().numpy()
    return float(np.abs(ours - theirs).mean() / theirs.mean())


ROW = np.random.default_rng(0).standard_normal(DIMENSIONS).astype(np.float32)


def by_fastapi(row: NDArray[np.float32]) -> bytes:
    """What FastAPI makes of a dictionary that a route returns."""
    return json.dumps(jsonable_encoder({"embedding": row.tolist()}), separators=(",", ":")).encode()


def as_served(row: NDArray[np.float32]) -> bytes:
    """What the route of embeddings makes of it."""
    return orjson.dumps({"embedding": row}, option=orjson.OPT_SERIALIZE_NUMPY)


def _compare(a: Callable[[], object], b: Callable[[], object]) -> Comparison:
    found = compare(a, b, rounds=11, calls=5, clock=time.process_time)
    return Comparison(1000 * found.a, 1000 * found.b, found.ratio)
