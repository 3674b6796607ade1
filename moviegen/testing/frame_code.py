"""Pictures that carry their own number: a grid of light and dark cells in the middle, readable after scaling, cropping and encoding.

`H W` rows and columns. The cells sit in the middle half of the width and two fifths of the height, 5 columns by 3 rows: a light corner
at the top left, three dark ones, ten bits of the number in Gray code (one cell changes from frame to frame, so the code is no cut)
and a parity cell. A picture that is turned or mirrored reads as another number, or as none.
"""

import numpy as np

MAX_NUMBER = 1023
COLUMNS, ROWS = 5, 3
DARK, LIGHT = 48, 208
"""Levels of the cells: the middle of the range, where no encoder clips."""

_CORNERS = {0: 1, COLUMNS - 1: 0, COLUMNS * (ROWS - 1): 0, COLUMNS * ROWS - 1: 0}
_REGION = (0.25, 0.3, 0.75, 0.7)
"""Left, top, right and bottom of the cells, shares of the picture."""


def cells_of(number: int) -> list[int]:
    """The 15 cells of a number, row by row, 1 for light."""
    if not 0 <= number <= MAX_NUMBER:
        raise ValueError(f"number is {number}, wanted 0..{MAX_NUMBER}")
    gray = number ^ (number >> 1)
    bits = [gray >> place & 1 for place in range(10)]
    free = iter([*bits, sum(bits) % 2])
    return [_CORNERS[cell] if cell in _CORNERS else next(free) for cell in range(COLUMNS * ROWS)]


def paint_number(image: np.ndarray, number: int) -> np.ndarray:
    """A copy of the image (H, W, 3) uint8 with the number's cells in its middle."""
    image = image.copy()
    for cell, value in enumerate(cells_of(number)):
        left, top, right, bottom = _bounds(image, cell)
        image[round(top) : round(bottom), round(left) : round(right)] = LIGHT if value else DARK
    return image


def read_number(image: np.ndarray) -> int | None:
    """The number in an image (H, W, 3) uint8 as displayed; None where there is none."""
    cells = []
    for cell in range(COLUMNS * ROWS):
        left, top, right, bottom = _bounds(image, cell)
        x, y, quarter_x, quarter_y = (left + right) / 2, (top + bottom) / 2, (right - left) / 4, (bottom - top) / 4
        core = image[int(y - quarter_y) : int(y + quarter_y) + 1, int(x - quarter_x) : int(x + quarter_x) + 1]
        cells.append(int(core.mean() > (DARK + LIGHT) / 2))
    if any(cells[cell] != value for cell, value in _CORNERS.items()):
        return None
    *bits, parity = [value for cell, value in enumerate(cells) if cell not in _CORNERS]
    if sum(bits) % 2 != parity:
        return None
    number = 0
    for bit in reversed(bits):
        number = number << 1 | (number & 1 ^ bit)
    return number


def _bounds(image: np.ndarray, cell: int) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of a cell in pixels."""
    height, width = image.shape[:2]
    row, column = divmod(cell, COLUMNS)
    left, top, right, bottom = _REGION
    step_x, step_y = (right - left) * width / COLUMNS, (bottom - top) * height / ROWS
    x, y = left * width + column * step_x, top * height + row * step_y
    return x, y, x + step_x, y + step_y
