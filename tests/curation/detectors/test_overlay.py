"""Overlaid text against text in the scene, on pictures made so that the answer is known."""

import cv2
import numpy as np
import pytest

from curation.detectors.overlay import compare_place, has_moved, split_overlay

HEIGHT, WIDTH = 240, 400


def ground(seed: int = 0) -> np.ndarray:
    """A textured picture three times as wide as a frame, to pan over."""
    noise = np.random.default_rng(seed).integers(0, 256, (HEIGHT * 2, WIDTH * 3), dtype=np.uint8)
    texture = cv2.GaussianBlur(noise, (0, 0), 3).astype(np.float32)
    texture = 110 + (texture - texture.mean()) * 3
    return np.repeat(np.clip(texture, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def write(image: np.ndarray, text: str, x: int, y: int) -> tuple:
    """Writes a text with its lower left at (x, y); its quadrangle comes back."""
    cv2.putText(image, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (250, 250, 250), 2, cv2.LINE_AA)
    (width, height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.9, 2)
    top, bottom = y - height - 3, y + below
    return ((x, top), (x + width, top), (x + width, bottom), (x, bottom))


def pan(step: int, num_frames: int = 4) -> list[np.ndarray]:
    """Frames of a camera that pans by `step` px a frame."""
    picture = ground()
    return [picture[40 : 40 + HEIGHT, 100 + i * step : 100 + i * step + WIDTH].copy() for i in range(num_frames)]


@pytest.mark.parametrize("row", [60, 130, 230])
def test_text_that_stays_while_the_camera_pans_is_overlay(row):
    frames = pan(25)
    texts = [[write(frame, "LIVE NEWS", 90, row)] for frame in frames]
    assert split_overlay(texts, frames) == [[True]] * 4


@pytest.mark.parametrize("row", [60, 130, 230])
def test_text_that_moves_with_the_picture_is_scene(row):
    frames = pan(12)
    texts = [[write(frame, "BAKERY", 150 - 12 * i, row)] for i, frame in enumerate(frames)]
    assert split_overlay(texts, frames) == [[False]] * 4


def test_text_that_comes_while_the_camera_stands_still_is_overlay():
    frames = pan(0)
    texts = [[], [], [write(frames[2], "CHAPTER TWO", 90, 130)], [write(frames[3], "CHAPTER TWO", 90, 130)]]
    assert split_overlay(texts, frames) == [[], [], [True], [True]]


@pytest.mark.parametrize(("row", "is_overlay"), [(40, True), (130, False), (225, True)])
def test_a_still_camera_and_a_text_that_is_always_there_go_by_the_place(row, is_overlay):
    frames = pan(0)
    assert split_overlay([[write(frame, "NO ENTRY", 90, row)] for frame in frames], frames) == [[is_overlay]] * 4


def test_one_frame_goes_by_the_place_and_a_tilted_text_is_no_caption():
    [frame] = pan(0, 1)
    upright = write(frame, "NO ENTRY", 90, 225)
    tilted = tuple((x, y - 0.2 * (x - 90) + 10) for x, y in upright)
    assert split_overlay([[upright]], [frame]) == [[True]]
    assert split_overlay([[tilted]], [frame]) == [[False]]


def test_things_that_pass_beside_a_sign_do_not_make_it_overlay():
    frames = pan(0)
    texts = [[write(frame, "NO ENTRY", 120, 130)] for frame in frames]
    for i, frame in enumerate(frames):
        cv2.circle(frame, (40 + 15 * i, 120), 50, (30, 60, 160), -1)
    assert split_overlay(texts, frames) == [[False]] * 4


def test_a_change_of_light_moves_nothing():
    frames = [np.uint8(frame * light) for frame, light in zip(pan(0), (1, 0.9, 0.8, 0.7), strict=True)]
    luma = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32) for frame in frames]
    assert not has_moved(luma[0], luma[3])
    assert has_moved(*(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32) for frame in pan(20, 2)))
    assert not has_moved(np.full((64, 64), 80, np.float32), np.full((64, 64), 90, np.float32))


def test_the_other_line_of_a_title_is_not_the_picture_around_it():
    frames = pan(0, 2)
    first = write(frames[0], "CHAPTER TWO", 90, 120)
    second = write(frames[0], "the return", 90, 150)
    luma = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32) for frame in frames]
    assert compare_place(first, [second], *luma) == "came"
    assert compare_place(second, [first], *luma) == "came"
