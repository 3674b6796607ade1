"""Letters of 5 x 7 squares, and the words that takes show."""

import numpy as np

_DRAWN = {
    "A": ".###. #...# #...# ##### #...# #...# #...#",
    "B": "####. #...# #...# ####. #...# #...# ####.",
    "C": ".###. #...# #.... #.... #.... #...# .###.",
    "D": "####. #...# #...# #...# #...# #...# ####.",
    "E": "##### #.... #.... ####. #.... #.... #####",
    "G": ".###. #...# #.... #.### #...# #...# .###.",
    "I": "##### ..#.. ..#.. ..#.. ..#.. ..#.. #####",
    "N": "#...# ##..# #.#.# #.#.# #.#.# #..## #...#",
    "O": ".###. #...# #...# #...# #...# #...# .###.",
    "P": "####. #...# #...# ####. #.... #.... #....",
    "S": ".#### #.... #.... .###. ....# ....# ####.",
    "T": "##### ..#.. ..#.. ..#.. ..#.. ..#.. ..#..",
    "U": "#...# #...# #...# #...# #...# #...# .###.",
}

GLYPHS = {letter: np.array([[c == "#" for c in row] for row in rows.split()], float) for letter, rows in _DRAWN.items()}
"""Letter -> (7, 5) of 0 and 1."""

WORDS = ("CAT", "SUN", "DOG", "TIP", "BUS", "PEN", "EGO", "NUT")

LETTER_PITCH = 6
"""Squares from one letter to the next."""

SQUARE = 1 / 32
"""Side of a letter's square, short sides: one pixel at 32 px."""

WORD_X, WORD_Y = 0.5 * SQUARE, 10.5 * SQUARE
"""Middle of a word of three letters, short sides right of and below the frame's middle: squares are whole pixels at 32 px."""


def word_squares(word: str) -> np.ndarray:
    """(7, 6 n - 1) of 0 and 1: a word."""
    gap = np.zeros((7, 1))
    columns = [part for letter in word for part in (GLYPHS[letter], gap)]
    return np.concatenate(columns[:-1], axis=1)


def word_coverage(word: str, height: int, width: int) -> np.ndarray:
    """(H, W) in 0..1: how much of each pixel the letters cover, four by four samples a pixel."""
    squares, short, fine = word_squares(word), min(height, width), 4
    rows = _sample_places(height, fine, short, WORD_Y, squares.shape[0])
    columns = _sample_places(width, fine, short, WORD_X, squares.shape[1])
    padded = np.pad(squares, 1)
    drawn = padded[rows[:, None], columns[None, :]]
    return drawn.reshape(height, fine, width, fine).mean(axis=(1, 3))


def _sample_places(side: int, fine: int, short: int, middle: float, num_squares: int) -> np.ndarray:
    """Square of each sample along a side, in a padded raster: 0 and num_squares + 1 are outside."""
    at = (np.arange(side * fine) + 0.5) / fine - side / 2
    places = np.floor((at / short - middle) / SQUARE + num_squares / 2 + 1e-9).astype(int)
    return np.clip(places + 1, 0, num_squares + 1)
