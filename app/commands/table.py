"""Tables of figures, for people or for machines."""

import json
import math
from collections.abc import Mapping

from app.commands.console import say

Figures = Mapping[str, float]
"""Whole numbers are counts, others fractions; years where a name begins with MAE or ends with years, pixels where it
ends with pixels, cosines where it begins with cosine; NaN is unknown."""


def say_table(title: str, rows: Mapping[str, Figures], as_json: bool = False) -> None:
    """Print one row of figures a data set, fractions in percent; or JSON, with fractions and null for NaN."""
    if as_json:
        results = {
            name: {key: None if math.isnan(value) else value for key, value in figures.items()}
            for name, figures in rows.items()
        }
        say(json.dumps({"title": title, "results": results}))
        return
    say(title)
    columns = list(dict.fromkeys(key for figures in rows.values() for key in figures))
    lines = [["", *columns]]
    lines += [[name, *(_written(key, figures.get(key, math.nan)) for key in columns)] for name, figures in rows.items()]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for name, *cells in lines:
        padded = (cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
        say("  ".join([name.ljust(widths[0]), *padded]))


def _written(key: str, value: float) -> str:
    if isinstance(value, int):
        return str(value)
    if math.isnan(value):
        return "-"
    if key.startswith("cosine"):
        return f"{value:.4f}"
    return f"{value:.2f}" if key.startswith("MAE") or key.endswith(("years", "pixels")) else f"{100 * value:.1f}"
