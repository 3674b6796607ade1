"""Every output says how it was made, to other libraries too, and can be made again to the last bit."""

import json
import shutil
import wave

import av
import numpy as np
import pytest
from PIL import Image

from moviegen.cli import main
from moviegen.errors import UsageError
from moviegen.media.tags import add_comment, read_comment
from moviegen.pipelines.recipe import (
    MARKER,
    Recipe,
    decode_recipe,
    encode_recipe,
    hash_files,
    read_recipe,
    sidecar_of,
    write_image_with,
)

RECIPE = Recipe("generate", {"prompt": 'a "wörd" \\ = ; # \n two', "seed": 3}, {"model": {"a/b": "0" * 64}})


@pytest.fixture(scope="module")
def made(video_model, tmp_path_factory):
    """A video and a picture of the same model, by the command."""
    folder = tmp_path_factory.mktemp("made")
    for name in ("out.mp4", "out.png", "out.jpg", "out.mkv"):
        words = ["--prompt", 'a "red" circle = é', "--output", str(folder / name), "--seed", "4"]
        assert main(["generate", "--model", str(video_model), *words]) == 0
    return folder


def comment_of(path):
    """The comment as PyAV and Pillow read it, not we."""
    if path.suffix in (".png", ".jpg"):
        found = Image.open(path).info["comment"]
        return found.decode() if isinstance(found, bytes) else found
    with av.open(str(path)) as container:
        return {name.lower(): text for name, text in container.metadata.items()}["comment"]


@pytest.mark.parametrize("name", ["out.mp4", "out.png", "out.jpg", "out.mkv"])
def test_other_libraries_read_how_it_was_made(made, video_model, name):
    text = comment_of(made / name)
    assert text.startswith(f"{MARKER}: ")
    values = json.loads(text.partition(": ")[2])
    assert values["digital_source_type"] == "trainedAlgorithmicMedia"
    assert values["settings"].items() >= {"prompt": 'a "red" circle = é', "seed": 4, "num_inference_steps": 2}.items()
    assert values["weights"]["model"] == hash_files(video_model)
    assert {"torch", "ffmpeg", "moviegen", "device", "threads"} <= set(values["environment"])
    assert str(video_model.parent) not in text  # where it lay stays here
    assert read_comment(made / name) == text
    beside = json.loads(sidecar_of(made / name).read_text())
    assert beside["places"] == {"model": str(video_model)}
    assert beside["settings"] == values["settings"]


@pytest.mark.parametrize("name", ["out.mp4", "out.png", "out.jpg", "out.mkv"])
def test_the_same_bytes_again(made, tmp_path, capsys, name):
    again = tmp_path / f"again{(made / name).suffix}"
    assert main(["reproduce", str(made / name), "--output", str(again)]) == 0
    assert again.read_bytes() == (made / name).read_bytes()
    assert capsys.readouterr().err.endswith("the same bytes\n")


def test_other_weights_are_refused_by_their_hash(made, video_model, tmp_path, capsys):
    other = tmp_path / "other"
    shutil.copytree(video_model, other)
    path = other / "video_dit" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    words = ["reproduce", str(made / "out.png"), "--output", str(tmp_path / "a.png"), "--places.model", str(other)]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert f"{path} has {hash_files(other)['video_dit/model.safetensors'][:12]}" in said
    assert f"wanted {hash_files(video_model)['video_dit/model.safetensors'][:12]}" in said
    assert "tae" not in said
    assert not (tmp_path / "a.png").exists()


def test_a_file_that_travelled_wants_its_weights_by_path(made, video_model, tmp_path, capsys):
    alone = tmp_path / "alone.png"
    shutil.copy(made / "out.png", alone)
    assert main(["reproduce", str(alone)]) == 2
    assert "--places.model PATH" in capsys.readouterr().err
    assert main(["reproduce", str(alone), "--places.model", str(video_model)]) == 0
    assert (tmp_path / "alone.again.png").read_bytes() == alone.read_bytes()


def test_a_dry_run_shows_the_recipe_and_makes_nothing(made, tmp_path, capsys):
    before = sorted(made.iterdir())
    assert main(["reproduce", str(made / "out.mp4"), "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["settings"]["seed"] == 4
    assert sorted(made.iterdir()) == before


def test_changed_bytes_are_told(made, tmp_path, capsys):
    path = tmp_path / "out.png"
    recipe = read_recipe(made / "out.png")
    write_image_with(path, np.zeros((32, 48, 3), np.uint8), recipe)
    assert main(["reproduce", str(path)]) == 4
    assert "out.again.png differs from" in capsys.readouterr().err


def test_a_recipe_comes_back_from_its_words():
    assert decode_recipe(encode_recipe(RECIPE)) == RECIPE


@pytest.mark.parametrize(
    "text", ["", "hello", f"{MARKER}: ", f"{MARKER}: []", f'{MARKER}: {{"format": 1, "settings": 3}}']
)
def test_what_is_no_recipe_is_refused(text):
    with pytest.raises(UsageError):
        decode_recipe(text)


@pytest.mark.parametrize("damage", [{"weights": {"a": 5}}, {"weights": {"a": {"b": 1}}}, {"inputs": {"a": None}}])
def test_a_recipe_of_another_shape_is_refused(damage):
    values = json.loads(encode_recipe(RECIPE).removeprefix(f"{MARKER}: ")) | damage
    with pytest.raises(UsageError, match=f"its recipe is damaged: .*{next(iter(damage))}"):
        decode_recipe(f"{MARKER}: {json.dumps(values)}")


def test_a_picture_of_someone_else_has_no_recipe(tmp_path, capsys):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    assert main(["reproduce", str(tmp_path / "a.png")]) == 2
    assert "no recipe in it" in capsys.readouterr().err


def test_a_wav_keeps_its_samples_and_has_the_comment(tmp_path):
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 48000, 0, "NONE", ""))
        file.writeframes(np.arange(99, dtype="<i2").tobytes())
    for comment in ("even", "odd!!", encode_recipe(RECIPE)):
        tagged = tmp_path / "b.wav"
        tagged.write_bytes(add_comment(path.read_bytes(), "wav", comment))
        with wave.open(str(tagged)) as file:
            assert np.array_equal(np.frombuffer(file.readframes(200), "<i2"), np.arange(99))
        assert comment_of(tagged) == read_comment(tagged) == comment


def test_pixels_are_untouched_by_a_comment(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    write_image_with(tmp_path / "a.png", picture, RECIPE)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), picture)
    assert read_recipe(tmp_path / "a.png") == RECIPE


def test_too_long_a_comment_is_refused():
    with pytest.raises(ValueError, match="wanted at most 60000"):
        add_comment(b"", "png", "x" * 60_001)
