"""A curve as lines of text, for a terminal: logarithmic where it falls far."""

import math
from collections.abc import Sequence

DOTS = "⠁⠂⠄⡀⠈⠐⠠⢀"
"""Braille: two columns of four dots a character."""


def curve_lines(values: Sequence[float], width: int = 64, height: int = 10) -> list[str]:
    """The finite values from left to right, largest above; the axis says what the first and last line mean. Nothing without a value."""
    points = [(i, value) for i, value in enumerate(values) if math.isfinite(value)]
    if not points:
        return []
    low, high = min(value for _, value in points), max(value for _, value in points)
    is_log = low > 0 and high > 10 * low
    scale = math.log if is_log else float
    span = scale(high) - scale(low) or 1.0
    cells = [[0] * width for _ in range(height)]
    for i, value in points:
        column = round(i * (2 * width - 1) / max(1, len(values) - 1))
        row = round((scale(high) - scale(value)) / span * (4 * height - 1))
        dot = DOTS[(column % 2) * 4 + row % 4]
        cells[row // 4][column // 2] |= ord(dot) - 0x2800
    labels = {0: f"{high:.3g}", height - 1: f"{low:.3g}"}
    lines = [
        f"{labels.get(row, ''):>9} ┤{''.join(chr(0x2800 + cell) for cell in line)}" for row, line in enumerate(cells)
    ]
    note = " (logarithmic)" if is_log else ""
    return [*lines, f"{'':>9} └{'─' * width}", f"{'':>11}step 1 to {len(values)}{note}"]
