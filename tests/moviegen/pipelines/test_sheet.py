import numpy as np
import pytest

from moviegen.pipelines.sheet import MAX_TITLE_WIDTH, contact_sheet


def test_frames_stand_from_left_to_right_under_their_title():
    clip = np.stack([np.full((32, 64, 3), 40 * i, np.uint8) for i in range(6)])
    sheet = contact_sheet([clip, clip[::-1]], ["brighter", "darker"], num_columns=6, height=32, gap=4)
    assert sheet.shape == (4 + 2 * (20 + 32 + 4), 4 + 6 * (64 + 4), 3)
    middle = 4 + 20 + 16
    columns = [4 + i * 68 + 32 for i in range(6)]
    assert [int(sheet[middle, x, 0]) for x in columns] == [0, 40, 80, 120, 160, 200]
    assert [int(sheet[middle + 56, x, 0]) for x in columns] == [200, 160, 120, 80, 40, 0]


def test_an_image_is_a_clip_of_one_frame():
    assert contact_sheet([np.zeros((1, 16, 16, 3), np.uint8)], ["1"], num_columns=1, height=16).shape == (44, 24, 3)


def test_words_above_a_narrow_picture_are_not_cut_unless_they_are_very_long():
    picture = np.zeros((1, 16, 16, 3), np.uint8)
    last = []
    for title in ("a purple square on ivory", "purple" * 50):
        sheet = contact_sheet([picture], [title], num_columns=1, height=16)
        last.append((sheet.shape[1], bool((sheet[:24, -2:] < 255).any())))
    (short, is_cut), (long, is_long_cut) = last
    assert 24 < short < long == MAX_TITLE_WIDTH
    assert (is_cut, is_long_cut) == (False, True)


def test_one_title_a_clip():
    with pytest.raises(ValueError, match="0 titles"):
        contact_sheet([np.zeros((1, 16, 16, 3), np.uint8)], [])
