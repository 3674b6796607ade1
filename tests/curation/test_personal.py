import numpy as np
import pytest

from curation.config import CurateConfig
from curation.detectors import load_detector
from curation.personal import (
    PersonalConfig,
    check_identity,
    cross_partners,
    face_frames,
    find_people,
    mentions_human,
    reference_places,
    reject_person,
)
from moviegen.cutout import cut_out, grabcut, head_window
from moviegen.errors import UsageError

TRACK = PersonalConfig(identity="track")
MODEL = PersonalConfig(faces={"identity_weights": "arcface.onnx"})


def row(num_faces=(1, 1, 1, 1, 1), num_tracks=1, step=0.8, embedding=(1.0, 0.0)) -> dict:
    boxes = [value for number in range(len(num_faces)) for value in (number, 0.0, 10.0, 12.0)]
    return {
        "pts": [100 * number for number in range(len(num_faces))], "num_faces": list(num_faces), "num_tracks": num_tracks,
        "boxes": boxes, "identity_step": step, "embedding": list(embedding),
    }  # fmt: skip


class TestCaptions:
    @pytest.mark.parametrize(
        "caption",
        ["A woman smiles.", "two MEN talk", "a child's toy", "He runs.", "a close-up of a dancer", "three people"],
    )
    def test_of_humans(self, caption):
        assert mentions_human(caption)

    @pytest.mark.parametrize(
        "caption", ["a mandolin", "the sheet flutters", "a red circle moves left", "Amen", "a dog", ""]
    )
    def test_of_others(self, caption):
        assert not mentions_human(caption)


class TestRejection:
    @pytest.mark.parametrize(
        ("faces", "reason"),
        [
            (row(), ""),
            (row((0, 0)), "no_face"),
            (row((1, 2, 1)), "several_faces"),
            (row((1, 0, 1)), "frames_without_face"),
            (row(step=0.51), ""),
            (row(step=0.5), "identity"),
            (row(step=None), "identity"),
            (row(num_tracks=2), ""),  # a head that jumps is one person, says the model
        ],
    )
    def test_by_the_model(self, faces, reason):
        assert reject_person(faces, MODEL) == reason

    def test_by_the_track(self):
        assert reject_person(row(step=None), TRACK) == ""
        assert reject_person(row(num_tracks=2, step=None), TRACK) == "tracks"

    def test_identity_by_a_model_says_what_it_needs(self):
        with pytest.raises(UsageError, match=r"personal.faces.identity_weights.*ArcFace.*personal.identity: track"):
            check_identity(PersonalConfig())
        check_identity(MODEL)
        check_identity(TRACK)

    def test_config_is_checked(self):
        with pytest.raises(ValueError, match=r"num_references is 11, wanted 1\.\.10"):
            PersonalConfig(num_references=11)
        assert CurateConfig.__dataclass_fields__["personal"].default_factory() == PersonalConfig()


class TestReferences:
    def test_a_frame_a_second_and_no_fewer_than_references(self):
        assert [face_frames(seconds, TRACK).count for seconds in (3.9, 4.6, 9.4, 16.0)] == [5, 5, 9, 16]

    def test_five_spread_evenly(self):
        places = reference_places(row((1,) * 9), TRACK)
        assert [pts for pts, _ in places] == [0, 200, 400, 600, 800]
        assert places[1][1] == (2.0, 0.0, 10.0, 12.0)


class TestCross:
    def partners(self, vectors, videos, shots="abcd", **config):
        """Each clip is of a shot of its own, where nothing else is said."""
        people = {name: row(embedding=vector) for name, vector in vectors.items()}
        views = {name: (videos[name], shots["abcd".index(name)]) for name in vectors}
        return cross_partners(people, views, PersonalConfig(**config))

    def test_a_clip_of_the_same_shot_is_no_other_view(self):
        found = self.partners(self.VECTORS, self.SAME, shots="1221")
        assert {clip: other for clip, (other, _) in found.items()} == {"a": "b", "b": "d", "d": "b"}
        assert self.partners(self.VECTORS, self.SAME, shots="1111") == {}

    VECTORS = {"a": (1.0, 0.0), "b": (0.8, 0.6), "c": (0.0, 1.0), "d": (0.96, 0.28)}  # noqa: RUF012
    SAME = dict.fromkeys("abcd", "v")

    def test_the_surest_other_clip_of_the_same_person(self):
        found = self.partners(self.VECTORS, self.SAME)
        assert {clip: other for clip, (other, _) in found.items()} == {"a": "d", "b": "d", "d": "a"}
        assert found["a"][1] == pytest.approx(0.96)

    def test_threshold(self):
        assert self.partners(self.VECTORS, self.SAME, min_cross_cosine=0.97) == {}

    def test_other_videos_only_when_asked_for(self):
        videos = {"a": "v", "b": "w", "c": "w", "d": "x"}
        assert self.partners(self.VECTORS, videos, min_cross_cosine=0.7) == {}
        assert "a" in self.partners(self.VECTORS, videos, is_cross_within_video=False)

    def test_without_embeddings_there_are_none(self):
        assert self.partners({"a": (), "b": ()}, self.SAME) == {}


class Found:
    """A detector that finds what it is told to."""

    max_side_px, identity_weights = 100, None

    def __init__(self, *found):
        self.found = iter(found)

    def find(self, image):
        self.shape = image.shape
        return np.array(next(self.found), np.float64).reshape(-1, 4)


class TestFinding:
    def test_boxes_are_of_the_full_frame(self):
        frames = [np.zeros((100, 200, 3), np.uint8)] * 2
        found = find_people(Found([[10, 10, 20, 20]], [[11, 10, 21, 20]]), frames, [3, 4])
        assert (found["pts"], found["num_faces"], found["num_tracks"]) == ([3, 4], [1, 1], 1)
        assert found["boxes"] == [20, 20, 40, 40, 22, 20, 42, 40]
        assert (found["identity_step"], found["embedding"]) == (None, [])

    def test_no_boxes_unless_each_frame_has_one_face(self):
        frames = [np.zeros((100, 100, 3), np.uint8)] * 2
        found = find_people(Found([[10, 10, 20, 20]], []), frames, [3, 4])
        assert (found["num_faces"], found["boxes"]) == ([1, 0], [])


class TestCutOut:
    @pytest.mark.parametrize("box", [[40, 30, 80, 80], [-10, 0, 20, 40], [150, 80, 170, 119]])
    def test_heads_stay_inside_the_frame(self, box):
        rows, columns = head_window(np.array(box), 120, 160)
        assert 0 <= rows.start < rows.stop <= 120
        assert 0 <= columns.start < columns.stop <= 160
        image = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
        assert cut_out(image, np.array(box), 64, None).shape == (64, 64, 3)

    def test_grabcut_finds_a_disc_on_a_wall(self):
        """A face-coloured disc with noise before a blue wall: the mask is the disc, to a few per cent, and the same twice."""
        rng = np.random.default_rng(0)
        rows, columns = np.mgrid[:160, :160]
        disc = ((rows - 80) / 52) ** 2 + ((columns - 80) / 40) ** 2 <= 1
        image = np.where(disc[..., None], (200, 150, 120), (60, 80, 160)) + rng.normal(0, 6, (160, 160, 3))
        image = image.clip(0, 255).astype(np.uint8)
        box = np.array([44.0, 34.0, 116.0, 126.0])
        mask = grabcut(image, box)
        assert (mask & disc).sum() / (mask | disc).sum() > 0.95
        np.testing.assert_array_equal(mask, grabcut(image, box))
        assert (cut_out(image, box, 128, grabcut)[:4] == 0).all()


@pytest.mark.data
def test_one_face_all_along_two_and_none(media_dir):
    """Real footage and its viewer's count [truth.json: faces_max 1, 2, 0]."""
    pytest.importorskip("facenet_pytorch")
    from moviegen.media.read import iter_frames

    detector = load_detector("faces")
    reasons = {}
    for name in ("woman_portrait.mp4", "ai_ltx2_dialogue.mp4", "sam2_blocks.mp4"):
        frames = [frame for frame in iter_frames(media_dir / name) if frame.index in (10, 40, 70, 100)]
        found = find_people(detector, [frame.image for frame in frames], [frame.pts for frame in frames])
        reasons[name] = reject_person(found, TRACK)
    assert list(reasons.values()) == ["", "several_faces", "no_face"]
