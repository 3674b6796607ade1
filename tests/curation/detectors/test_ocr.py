import cv2
import numpy as np
import pytest

from curation.clips import SplitConfig, split_video
from curation.detectors import load_detector
from curation.detectors.ocr import TextBox
from curation.scoring import score_clip
from curation.signals.table import slice_signals
from moviegen.contracts.clip import Clip
from moviegen.media.read import read_frames_at, read_image

pytest.importorskip("rapidocr")


@pytest.fixture(scope="module")
def ocr():
    return load_detector("ocr", {"count": 2, "max_side_px": 480})


def sign(*lines: tuple[str, int, float]) -> np.ndarray:
    """A picture with words: (text, row, size)."""
    image = np.full((240, 400, 3), 60, np.uint8)
    for text, row, size in lines:
        cv2.putText(image, text, (20, row), cv2.FONT_HERSHEY_SIMPLEX, size, (240, 240, 240), 2, cv2.LINE_AA)
    return image


def test_reads_and_scores_what_is_written(ocr, clip_input):
    [box] = ocr.read(sign(("BREAKING NEWS", 120, 1.2)))
    assert box.text.replace(" ", "") == "BREAKINGNEWS"
    assert box.score == box.detection * box.recognition > 0.6
    scores = ocr.score(clip_input(frames=[sign(), sign(("BREAKING NEWS", 120, 1.2))]))
    assert scores["ocr.max_score"] == box.score
    assert scores["ocr.area_fraction"] == pytest.approx(box.area / (240 * 400), rel=0.05)


def test_each_box_keeps_its_own_detection_score(ocr):
    """RapidOCR sorts boxes into reading order and leaves their scores unsorted."""
    image = sign(("lower line", 200, 0.9), ("UPPER", 60, 1.4))
    alone = {
        box.text: box.detection
        for text in (("lower line", 200, 0.9), ("UPPER", 60, 1.4))
        for box in ocr.read(sign(text))
    }
    together = {box.text: box.detection for box in ocr.read(image)}
    assert together.keys() == alone.keys()
    for text, detection in together.items():
        assert detection == pytest.approx(alone[text], abs=0.03)


def test_nothing_written_scores_zero(ocr, clip_input):
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(rng.integers(0, 256, (240, 400, 3), dtype=np.uint8), (0, 0), 5)
    assert ocr.score(clip_input(frames=[sign(), noise])) == dict.fromkeys(ocr.metrics, 0.0)


def test_every_text_is_overlay_or_scene(ocr, clip_input):
    """Still frames: the word at the bottom goes by its place, the one in the middle too; the area is both."""
    frame = sign(("BREAKING NEWS", 225, 1.2), ("BAKERY", 130, 1.2))
    scores = ocr.score(clip_input(frames=[frame, frame]))
    by_text = {box.text.replace(" ", ""): box for box in ocr.read(frame)}
    assert scores["ocr.overlay_score"] == by_text["BREAKINGNEWS"].score
    assert scores["ocr.scene_score"] == by_text["BAKERY"].score
    assert scores["ocr.max_score"] == max(scores["ocr.overlay_score"], scores["ocr.scene_score"])
    assert scores["ocr.area_fraction"] == pytest.approx(sum(b.area for b in by_text.values()) / (240 * 400), rel=0.05)


@pytest.mark.parametrize(
    ("text", "corners", "is_foreign"),
    [
        ("  ", ((0, 0), (80, 0), (80, 16), (0, 16)), True),
        (" . ", ((0, 0), (80, 0), (80, 16), (0, 16)), True),
        ("  ", ((0, 0), (30, 0), (30, 16), (0, 16)), False),
        ("E ", ((0, 0), (80, 0), (80, 16), (0, 16)), False),
    ],
)
def test_a_line_read_as_blanks_is_of_another_script(text, corners, is_foreign):
    assert TextBox(text, 0.9, 0.7, corners).is_foreign == is_foreign


def test_planted_text_is_found_and_good_clips_are_clean(ocr, film):
    for kind, is_text in (("text", True), ("good", False)):
        made = film(kind, 0)
        clip, signals = made.clips()[0]
        assert (score_clip(ocr, clip, made.video, signals)["ocr.max_score"] >= 0.6) == is_text


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "second", "words"),
    [
        ("psd_counter_frames.mp4", 0, "Frame=1"),
        ("composed/overlay_text_hevc10.mkv", 1, "TESTTV7"),
        ("woman_portrait.mp4", 2, None),
        ("sam2_dog.mp4", 2, None),
    ],
)
def test_real_media(media_dir, name, second, words):
    from moviegen.media.read import iter_frames

    detector = load_detector("ocr")
    frame = next(f for f in iter_frames(media_dir / name) if f.index == second * 10)
    assert read_frames_at(media_dir / name, [frame.pts])[0].index in (frame.index, -1)
    found = {box.text.replace(" ", ""): box.score for box in detector.read(frame.image)}
    if words is None:
        assert max(found.values(), default=0) < 0.6
    else:
        assert found[words] >= 0.6


@pytest.mark.data
def test_an_annotated_word_in_a_street_photograph(media_dir):
    image = read_image(media_dir / "images" / "text" / "img_2.jpg")
    found = load_detector("ocr", {"max_side_px": 960}).read(image)
    assert [box.text for box in found if box.score >= 0.6] == ["EXIT"]


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "shot", "kind"),
    [
        ("composed/overlay_text_hevc10.mkv", 0, "overlay"),  # channel name in a corner, a still camera
        ("hamilton_stage.mp4", 1, "overlay"),  # logo over a moving picture
        ("bw_cuts_subtitles.mp4", 3, "overlay"),  # Cyrillic subtitles over a moving face
        ("sam2_blocks.mp4", 0, "scene"),  # letter blocks under moving hands
        ("pool_handheld.mp4", 0, None),
        ("makeup_mpeg4.avi", 0, None),
    ],
)
def test_overlay_and_scene_on_real_clips(media_dir, name, shot, kind):
    config = SplitConfig(min_clip_s=0.5, start_trim_s=0.0, policy="tile")
    result = split_video(str(media_dir / name), "0" * 32, config)
    clip = next(Clip(**row) for row in result.clips if row["shot"] == shot)
    signals = slice_signals(result.signals, clip.start_frame, clip.num_frames)
    scores = score_clip(load_detector("ocr"), clip, {"uri": str(media_dir / name)}, signals)
    assert (scores["ocr.max_score"] >= 0.6) == (kind is not None)
    if kind is not None:
        assert (scores["ocr.overlay_score"] > scores["ocr.scene_score"]) == (kind == "overlay")
