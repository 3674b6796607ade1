import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.edit_tools import PHOTO_EDITS, PhotoEditor
from curation.edit_words import MARK_WORDS, PHOTO_WORDS
from curation.editing import (
    MARK_COLOURS,
    EditsConfig,
    Mark,
    MoveConfig,
    animate,
    choose_mark,
    draw_for,
    lay_over,
    least_zoom,
    random_walk,
)
from moviegen.testing.drawing import render_frame
from moviegen.testing.edit_tools import RECOLOUR_WORDS, RecolourEditor, ShapeSegmenter, edited_scene, true_mask
from moviegen.testing.scene import BACKGROUNDS, COLOURS, MIN_CONTRAST, contrast, sample_scene
from moviegen.testing.world import caption

MOVES = MoveConfig()


def walk(seed: int, num_frames: int = 40) -> np.ndarray:
    return random_walk(np.random.default_rng(seed), num_frames, MOVES)


class TestWalk:
    def test_begins_at_rest_and_is_drawn_by_its_seed(self):
        np.testing.assert_array_equal(walk(0)[0], np.eye(3))
        np.testing.assert_array_equal(walk(0), walk(0))
        assert not np.allclose(walk(0), walk(1))
        assert [len(walk(0, number)) for number in (1, 2, 17)] == [1, 2, 17]

    @given(st.integers(0, 10**6))
    def test_no_step_and_no_place_beyond_its_bound(self, seed):
        maps = walk(seed)
        turn = np.degrees(np.arctan2(maps[:, 1, 0], maps[:, 0, 0]))
        shift, size = maps[:, :2, 2], np.log(np.hypot(maps[:, 0, 0], maps[:, 1, 0]))
        for values, step in ((turn, MOVES.turn_deg), (shift, MOVES.shift), (size, MOVES.scale)):
            assert (np.abs(np.diff(values, axis=0)) <= step + 1e-9).all()
            assert (np.abs(values) <= MOVES.num_total_steps * step + 1e-9).all()

    @given(st.integers(0, 10**6), st.sampled_from([(160, 90), (90, 160), (100, 100)]))
    def test_nothing_beyond_the_pictures_edge_is_shown(self, seed, size):
        """A white picture stays white: no mirrored or black rim."""
        maps = walk(seed, 24)
        inside = np.pad(np.full((size[1] - 2, size[0] - 2, 3), 255, np.uint8), ((1, 1), (1, 1), (0, 0)))
        zoom = least_zoom(maps, *size)
        assert 1 <= zoom < 2
        for frame in animate(inside, maps, zoom * 1.05, size)[1:]:
            assert frame.min() > 100

    def test_one_frame_is_the_picture_itself(self):
        image = np.random.default_rng(0).integers(0, 255, (90, 160, 3), dtype=np.uint8)
        [frame] = animate(image, np.eye(3)[None], 1.0, (160, 90))
        np.testing.assert_array_equal(frame, image)

    def test_both_of_a_pair_are_moved_alike(self):
        """Moving and then editing is editing and then moving, for an edit of each pixel by itself."""
        image = render_frame(sample_scene(3), 0.3)
        edit = next(edit for edit in PHOTO_EDITS if edit.name == "negative")
        maps = walk(2, 8)
        before = animate(image, maps, 1.2, (96, 96))
        after = animate(edit.apply(image), maps, 1.2, (96, 96))
        assert max(np.abs(255 - b.astype(int) - a).max() for b, a in zip(before, after, strict=True)) <= 1

    def test_a_shift_goes_where_the_map_says(self):
        image = np.zeros((100, 100, 3), np.uint8)
        image[40:60, 40:60] = 255
        maps = np.stack([np.eye(3), np.array([[1, 0, 0.1], [0, 1, -0.2], [0, 0, 1]])])
        moved = animate(image, maps, 1.0, (100, 100))[1]
        np.testing.assert_array_equal(moved[20:40, 50:70], image[40:60, 40:60])


class TestPhotoEdits:
    @pytest.mark.parametrize("edit", PHOTO_EDITS, ids=lambda edit: edit.name)
    def test_an_edit_changes_every_real_picture_and_says_how_back(self, edit):
        image = render_frame(sample_scene(1), 0.5)
        edited = edit.apply(image)
        assert (edited.shape, edited.dtype) == (image.shape, np.uint8)
        assert np.abs(edited.astype(int) - image).mean() > 1
        np.testing.assert_array_equal(edited, edit.apply(image))
        assert edit.instruction.endswith(".")
        assert edit.instruction != edit.reverse

    def test_all_are_drawn(self):
        drawn = {PhotoEditor().choose("", np.random.default_rng(seed)).name for seed in range(200)}
        assert drawn == {edit.name for edit in PHOTO_EDITS}

    def test_a_wrong_name_lists_the_right_ones(self):
        with pytest.raises(ValueError, match="no edit 'grey'; there are black_and_white"):
            PhotoEditor(("grey",))


class TestMarks:
    def test_the_colour_is_not_one_the_caption_names(self):
        for seed in range(100):
            mark = choose_mark("a red circle and a blue square", np.random.default_rng(seed))
            assert mark.colour in set(MARK_COLOURS) - {"red", "blue"}
            assert 0.5 <= mark.alpha <= 1

    def test_a_mask_is_laid_over(self):
        frame = np.full((4, 4, 3), 100, np.uint8)
        mask = np.zeros((4, 4))
        mask[0] = 1
        marked = lay_over(frame, mask, Mark("white", 0.5))
        assert (marked[0] == 178).all()
        assert (marked[1:] == 100).all()
        assert Mark("blue", 1.0).instruction("the dog") == "Mark the dog in blue."


def test_draws_are_of_seed_clip_and_task_alone():
    def numbers(seed, clip_id, task):
        return tuple(draw_for(EditsConfig(seed=seed), clip_id, task).random(3))

    one = numbers(0, "a", "animate")
    assert one == numbers(0, "a", "animate")
    assert len({one, numbers(1, "a", "animate"), numbers(0, "b", "animate"), numbers(0, "a", "segment")}) == 4


def test_config_is_checked():
    with pytest.raises(ValueError, match="'paint' is not one of animate, segment, backtranslate"):
        EditsConfig(tasks=("paint",))


class TestToyTruth:
    """The toy world's own tools against its scenes."""

    @pytest.mark.parametrize("seed", range(20))
    def test_masks_are_the_shapes(self, seed):
        scene = sample_scene(seed)
        segmenter = ShapeSegmenter()
        assert segmenter.name_object(caption(scene)) == f"the {scene.colour} {scene.shape}"
        for u in (0.1, 0.9):
            mask, truth = segmenter.mask(render_frame(scene, u)) > 0.5, true_mask(scene, u) > 0.5
            assert (mask & truth).sum() >= 0.93 * (mask | truth).sum()

    @pytest.mark.parametrize("seed", range(20))
    def test_an_edit_is_the_scene_rendered_in_the_other_colour(self, seed):
        scene = sample_scene(seed)
        rng = np.random.default_rng(seed)
        edit = RecolourEditor().choose(caption(scene), rng)
        colour = edit.name.rpartition("_")[2]
        if contrast(colour, scene.background) < MIN_CONTRAST:
            pytest.skip("hardly seen")
        told = {"old": scene.colour, "shape": scene.shape, "new": colour}
        assert edit.instruction in {ways.format(**told) for ways in RECOLOUR_WORDS}
        image, truth = render_frame(scene, 0.9), render_frame(edited_scene(scene, colour), 0.9)
        assert np.abs(edit.apply(image).astype(int) - truth).mean() < 1

    def test_captions_of_another_world_have_no_edit(self):
        assert RecolourEditor().choose("a dog runs", np.random.default_rng(0)) is None
        assert ShapeSegmenter().name_object("a dog runs") is None
        assert set(COLOURS).isdisjoint(BACKGROUNDS)


class TestWords:
    def test_every_edit_has_ways_there_and_back(self):
        assert set(PHOTO_WORDS) == {edit.name for edit in PHOTO_EDITS}
        for there, back in PHOTO_WORDS.values():
            assert min(len(there), len(back)) >= 3
            assert len(set(there) | set(back)) == len(there) + len(back), "one would be true both ways"
            assert all(words.endswith(".") for words in (*there, *back))
        assert all({"{object}", "{colour}"} <= set(re.findall(r"{\w+}", words)) for words in MARK_WORDS)

    def test_all_ways_are_drawn_and_a_clip_always_gets_the_same(self):
        config = EditsConfig()
        editor, ids = PhotoEditor(names=("sepia",)), [f"{n:032x}" for n in range(200)]

        def drawn(task):
            edits = [editor.choose("", draw_for(config, clip_id, task)) for clip_id in ids]
            return [(edit.instruction, edit.reverse) for edit in edits]

        assert drawn("animate") == drawn("animate")
        assert drawn("animate") != drawn("backtranslate")
        there, back = PHOTO_WORDS["sepia"]
        assert set(drawn("animate")) == {(a, b) for a in there for b in back}
        marks = {choose_mark("", draw_for(config, clip_id, "segment")).words for clip_id in ids}
        assert marks == set(MARK_WORDS)
