"""A picture of queries beside what they found."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

CELL_HEIGHT, CELL_WIDTH, CAPTION, MARGIN = 176, 88, 30, 8
RIGHT, WRONG, NEUTRAL = "#1a7f37", "#cf222e", "#57606a"


@dataclass(frozen=True)
class Cell:
    """One picture of a sheet: encoded bytes, a caption of two short lines, and whether it is right (None: no frame)."""

    picture: bytes
    caption: str
    right: bool | None = None


def write_contact_sheet(rows: Sequence[Sequence[Cell]], path: Path) -> None:
    """Write a PNG with one row for each query: the query, then its matches framed green (right) or red (wrong)."""
    columns = max(len(row) for row in rows)
    step_x, step_y = CELL_WIDTH + MARGIN, CELL_HEIGHT + CAPTION + MARGIN
    sheet = Image.new("RGB", (columns * step_x + 2 * MARGIN, len(rows) * step_y + MARGIN), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(11)
    for i, row in enumerate(rows):
        for j, cell in enumerate(row):
            # The query stands a little apart from what it found.
            left, top = MARGIN + j * step_x + (MARGIN if j else 0), MARGIN + i * step_y
            sheet.paste(_fitted(cell.picture), (left, top))
            colour = NEUTRAL if cell.right is None else RIGHT if cell.right else WRONG
            if cell.right is not None:
                draw.rectangle((left, top, left + CELL_WIDTH - 1, top + CELL_HEIGHT - 1), outline=colour, width=3)
            draw.multiline_text((left, top + CELL_HEIGHT + 2), cell.caption, fill=colour, font=font, spacing=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


def _fitted(picture: bytes) -> Image.Image:
    with Image.open(io.BytesIO(picture)) as image:
        return image.convert("RGB").resize((CELL_WIDTH, CELL_HEIGHT))
