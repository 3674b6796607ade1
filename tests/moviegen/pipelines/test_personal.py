"""Personal video: the face found, cut out or refused with the reason; guidance by its formula; reproduced from its recipe."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from moviegen.cli import main
from moviegen.errors import UsageError
from moviegen.faces import choose_face, load_finder
from moviegen.models.text import TextContext
from moviegen.pipelines.personal import PersonalPipeline


def face(seed: int, side: int = 64) -> np.ndarray:
    """A cut-out that differs from another one."""
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)


@pytest.fixture
def picture(tmp_path):
    """A person on a plain wall: a skin-coloured ellipse at 100..200, 60..180."""
    rows, columns = np.mgrid[:240, :320]
    image = np.full((240, 320, 3), (40, 90, 160), np.uint8)
    image[((rows - 120) / 60.0) ** 2 + ((columns - 150) / 50.0) ** 2 <= 1] = (224, 172, 105)
    path = tmp_path / "person.png"
    Image.fromarray(image).save(path)
    return path


BOX = [100, 60, 200, 180]


def personalize(model, picture, output, *words):
    base = ["--face", str(picture), "--prompt", "a man reads", "--model", str(model), "--output", str(output)]
    return main(["personalize", *base, *words])


def test_guidance_by_text_keeps_the_face_in_both_branches(personal_pipeline):
    generator = torch.Generator().manual_seed(0)
    x_t, t = torch.randn(1, 4, 2, 4, 4, generator=generator), torch.tensor([0.4])
    network, shape = personal_pipeline.personal_dit, personal_pipeline.defaults
    with torch.no_grad():
        seen = personal_pipeline.encode_face(face(0))
        unseen = TextContext(seen.features, torch.zeros_like(seen.mask))
        text, none = personal_pipeline._encode("a man reads", shape), personal_pipeline._encode("", shape)
        face_alone, both, text_alone = (
            network(x_t, t, none, seen),
            network(x_t, t, text, seen),
            network(x_t, t, text, unseen),
        )
        got = personal_pipeline.velocity(seen, text, none, 4.0, 0.0)(x_t, t)
        assert torch.allclose(got, face_alone + 4 * (both - face_alone), atol=1e-5)
        got = personal_pipeline.velocity(seen, text, none, 4.0, 1.5)(x_t, t)
        assert torch.allclose(got, face_alone + 4 * (both - face_alone) + 1.5 * (both - text_alone), atol=1e-5)
    assert not torch.allclose(both, text_alone)


def test_face_prompt_and_seed_matter_and_nothing_else(personal_pipeline, personal_model):
    made = personal_pipeline(face(0), "a man reads").frames
    assert made.shape == (9, 32, 32, 3)
    loaded = PersonalPipeline.from_pretrained(personal_model)
    assert np.array_equal(loaded(face(0), "a man reads").frames, made)
    for arguments, values in (
        ((face(1), "a man reads"), {}),
        ((face(0), "a man runs"), {}),
        ((face(0), "a man reads"), {"seed": 1}),
    ):
        assert not np.array_equal(personal_pipeline(*arguments, **values).frames, made)


@pytest.mark.parametrize(
    ("boxes", "reason"),
    [
        (np.zeros((0, 4)), "no face was found"),
        (
            np.array([[0, 0, 99, 99], [120.2, 3, 220, 109]]),
            "2 faces, wanted one; name it by --face_box, one of: 0,0,99,99; 120,3,220,109",
        ),
        (np.array([[0, 0, 99, 30]]), "the face is 30 px, too small; wanted 64 px or more"),
    ],
)
def test_a_face_is_refused_with_the_reason(boxes, reason):
    with pytest.raises(UsageError, match=r"a\.png") as error:
        choose_face(boxes, "a.png")
    assert reason in str(error.value)


def test_a_finder_that_is_not_there_is_named():
    with pytest.raises(UsageError, match=r"none\.onnx: no such file; wanted mtcnn"):
        load_finder("none.onnx")


def test_the_command_finds_cuts_generates_and_reproduces(personal_model, picture, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("moviegen.faces.load_finder", lambda finder: lambda image: np.array([BOX], float))
    path, cut = tmp_path / "out.mp4", tmp_path / "cut.png"
    assert personalize(personal_model, picture, path, "--save-face", str(cut), "--json") == 0
    said = capsys.readouterr()
    assert (
        json.loads(said.out).items()
        >= {"prompt": "a man reads", "face_box": [100.0, 60.0, 200.0, 180.0], "num_frames": 9}.items()
    )
    seen = np.asarray(Image.open(cut))
    assert seen.shape == (336, 336, 3)
    assert np.abs(seen[168, 168].astype(int) - (224, 172, 105)).max() < 8
    assert (seen[:20] == 0).all()  # the wall is gone
    monkeypatch.setattr("moviegen.faces.load_finder", None)  # the recipe has the box
    assert main(["reproduce", str(path), "--output", str(tmp_path / "again.mp4")]) == 0
    assert (tmp_path / "again.mp4").read_bytes() == path.read_bytes()
    Image.fromarray(np.asarray(Image.open(picture))[::-1]).save(picture)
    assert main(["reproduce", str(path), "--output", str(tmp_path / "third.mp4")]) == 2
    assert f"{picture} has" in capsys.readouterr().err


def test_a_box_and_a_cut_out_need_no_finder(personal_model, picture, tmp_path):
    assert personalize(personal_model, picture, tmp_path / "a.png", "--face-box", "[100,60,200,180]") == 0
    Image.fromarray(face(0)).save(tmp_path / "cut.png")
    assert personalize(personal_model, tmp_path / "cut.png", tmp_path / "b.png", "--finder", "none") == 0
    assert Image.open(tmp_path / "b.png").size == (32, 32)


def test_dry_run_writes_nothing(personal_model, picture, tmp_path, capsys):
    assert personalize(personal_model, picture, tmp_path / "a.mp4", "--face-box", "[100,60,200,180]", "--dry-run") == 0
    assert list(tmp_path.iterdir()) == [picture]
    assert "face 100x120 px at 100,60; 9 frames, 32x32, 8/1 fps" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--face-box", "[100,60,200,999]"], "inside 320x240 px"),
        (["--face-box", "[100,60,120,80]"], "the face is 20 px, too small"),
        (["--finder", "none"], "the picture is 320x240, wanted a square cut-out"),
        (["--face-box", "[100,60,200,180]", "--segmentation", "model"], "wants `segmenter`"),
        (["--face-box", "[100,60,200,180]", "--segmenter", "x.pt"], "wants --segmentation model"),
        (["--face-box", "[100,60,200,180]", "--num-frames", "0"], "num_frames is 0"),
        (["--face", "none.png"], "none.png: no such file"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_written(personal_model, picture, tmp_path, capsys, words, message):
    assert personalize(personal_model, picture, tmp_path / "out.mp4", *words) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [picture]
