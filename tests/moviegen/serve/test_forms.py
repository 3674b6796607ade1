"""Forms are the commands' own configs: every field is one, with its type, text and default, and what is filled in comes back as it."""

from dataclasses import fields
from pathlib import Path

import pytest

from moviegen.errors import UsageError
from moviegen.serve.forms import FormField, form_fields, label_of, make_config, plain, read_value
from moviegen.serve.models import choose_models, find_models
from moviegen.serve.products import PRODUCTS, product_of

NOT_ON_THE_PAGE = {
    "model", "output", "device", "overwrite", "dry_run", "json", "prompts_file", "images", "batch_size", "rewrite", "rewrite_model",
    "segmenter", "save_face", "sound", "sync_model", "quality_model",
}  # fmt: skip
"""Paths and addresses of the server's machine, and what is for files of prompts. `sound` of `soundtrack` is a file."""


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.name)
def test_a_tab_shows_settings_of_the_command_each_once(product):
    known = {field.name for field in fields(product.config_class)}
    shown = [*product.settings, *product.inputs]
    assert len(shown) == len(set(shown))
    assert set(shown) <= known
    missing = known - set(shown) - NOT_ON_THE_PAGE
    assert missing <= {
        "score",
        "num_frames",
        "fps",
        "camera",
        "best_of",
        "soundtrack",
        "music",
        "sound_inference_steps",
    }
    assert callable(product.run)


def models_of(runs) -> dict[str, Path]:
    return {"model": runs / "04_t2v/model", "upsampler": runs / "upsampler/model", "audio_model": runs / "audio/model"}


def test_an_untouched_form_is_the_command_with_its_defaults(runs, tmp_path):
    for name, given in (("video", {"prompt": "a"}), ("soundtrack", {"prompt": "rain", "duration_s": "2"})):
        product, models = product_of(name), models_of(runs)
        form = form_fields(product, models)
        fixed = {"model": models[product.flag], "output": tmp_path / ("a.mp4" if name == "video" else "a.wav")}
        untouched = {field.name: field.default for field in form} | given
        others = set(product.other_models)
        got = make_config(product, [f for f in form if f.name not in others], untouched, {}, **fixed)
        typed = {"prompt": "a"} if name == "video" else {"prompt": "rain", "duration_s": 2.0}
        assert got == product.config_class(**typed, **fixed)


def test_settings_without_their_model_are_not_shown(runs):
    models = models_of(runs)
    names = [field.name for field in form_fields(product_of("video"), models)]
    assert {"soundtrack", "sound", "music"} <= set(names)
    del models["audio_model"]
    assert {"soundtrack", "sound", "music"}.isdisjoint(f.name for f in form_fields(product_of("video"), models))
    frames = next(field for field in form_fields(product_of("video"), models) if field.name == "num_frames")
    assert frames.placeholder == "16, the model's own"


def test_what_is_filled_in_is_read_by_its_type():
    whole = FormField("num_frames", "Frames", "", "whole")
    box = FormField("face_box", "Face box", "", "text", length=4)
    choice = FormField("score", "Score", "", "choice", choices=("", "motion"))
    assert [read_value(whole, each) for each in ("16", 16.0, "", None)] == [16, 16, None, None]
    assert read_value(box, "1, 2 3,4") == (1, 2, 3, 4)
    for field, value, words in (
        (whole, "many", "Frames is 'many', wanted a whole number"),
        (whole, "1.5", "wanted a whole number"),
        (whole, "inf", "wanted a whole number"),
        (box, "1, 2", "wanted 4 whole numbers"),
        (choice, "os:system", "is none of motion"),
    ):
        with pytest.raises(UsageError, match=words):
            read_value(field, value)


def test_messages_are_in_the_words_of_the_page(runs):
    assert plain("moviegen generate: --num_frames is 0") == "“Frames” is 0"
    assert plain("film.mp4: cannot be opened") == "film.mp4: cannot be opened"
    assert plain("give either --aspect or --width") == "Give either “Aspect” or “Width”"
    assert [label_of(name) for name in ("num_inference_steps", "tile_px", "window_s", "fps")] == [
        "Inference steps", "Tile (px)", "Window (seconds)", "FPS",
    ]  # fmt: skip
    product = product_of("upsample")
    with pytest.raises(UsageError, match="Choose a file first: video"):
        make_config(product, form_fields(product, models_of(runs)), {}, {"video": None}, model=runs, output=runs)


def test_models_are_found_by_kind_the_last_stage_of_each(runs, tmp_path):
    found = find_models(runs)
    assert {flag: folder.parent.name for flag, folder in found.items()} == {
        "model": "04_t2v", "audio_model": "audio", "upsampler": "upsampler",
    }  # fmt: skip
    own = choose_models({"model": runs / "03_t2i/model", "edit_model": None}, runs)
    assert own["model"] == runs / "03_t2i/model"
    with pytest.raises(
        UsageError, match="is of a SoundtrackPipeline, wanted a VideoPipeline; that is for --audio_model"
    ):
        choose_models({"model": runs / "audio/model"}, None)
    with pytest.raises(UsageError, match=r"model_index.json is missing"):
        choose_models({"edit_model": runs / "edit/model"}, None)
    with pytest.raises(UsageError, match="no finished model in"):
        choose_models({}, tmp_path)
