"""The video pipeline: folders there and back, noise by seed, shapes checked before anything is computed."""

import json
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

from moviegen.errors import UsageError
from moviegen.models.tae import TAE, TAEConfig
from moviegen.models.text import ByteTextEncoder, ByteTextEncoderConfig
from moviegen.models.video_dit import VideoDiT, VideoDiTConfig
from moviegen.pipelines.video import (
    VideoDefaults,
    VideoPipeline,
    conditioning_text,
    decode_defaults,
    encode_defaults,
    latent_size,
    pixels_to_frames,
)

DEFAULTS = VideoDefaults(
    num_frames=9, width=48, height=32, fps=Fraction(16, 5), num_inference_steps=3, guidance_scale=2.0
)


def build(width: int = 16) -> VideoPipeline:
    torch.manual_seed(0)
    tae = TAE(TAEConfig(channels=8, multipliers=(1, 1, 1, 1), num_res_blocks=1, latent_channels=4, norm_groups=4))
    tae.latent_mean.fill_(0.5)
    tae.latent_std.fill_(2.0)
    dit = VideoDiT(
        VideoDiTConfig(
            dim=32, num_layers=2, num_heads=2, ffn_dim=48, latent_channels=4, context_widths=(16,),
            max_frames=4, max_height=4, max_width=4,
        )
    )  # fmt: skip
    for parameter in dit.parameters():
        nn.init.normal_(parameter, std=0.1)
    text = ByteTextEncoder(ByteTextEncoderConfig(dim=width, num_layers=1, num_heads=2, ffn_dim=24))
    return VideoPipeline(tae.eval(), dit.eval(), [text.eval()], DEFAULTS)


@pytest.fixture(scope="module")
def pipeline() -> VideoPipeline:
    return build()


@pytest.fixture
def folder(pipeline, tmp_path):
    pipeline.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_a_prompt_becomes_frames_of_the_default_shape(pipeline):
    steps = []
    video = pipeline("a red circle", callback=lambda step, total: steps.append((step, total)))
    assert video.frames.shape == (9, 32, 48, 3)
    assert video.frames.dtype == np.uint8
    assert (video.fps, video.prompt, video.seed) == (Fraction(16, 5), "a red circle", 0)
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_a_call_overrides_the_defaults(pipeline):
    video = pipeline("a", num_frames=1, width=32, height=64, num_inference_steps=1, guidance_scale=1.0)
    assert video.frames.shape == (1, 64, 32, 3)


def test_a_loaded_pipeline_makes_the_same_frames(pipeline, folder):
    loaded = VideoPipeline.from_pretrained(folder)
    assert loaded.defaults == DEFAULTS
    assert np.array_equal(loaded("a red circle").frames, pipeline("a red circle").frames)


def test_seed_and_text_matter_and_nothing_else_does(pipeline):
    first = pipeline("a red circle", seed=3).frames
    assert np.array_equal(pipeline("a red circle", seed=3).frames, first)
    assert not np.array_equal(pipeline("a red circle", seed=4).frames, first)
    assert not np.array_equal(pipeline("a blue star", seed=3).frames, first)


def test_each_prompt_of_a_batch_is_what_it_is_alone(pipeline):
    batch = pipeline(["a red circle", "a much longer prompt about a star"], seed=5)
    for video, prompt, seed in zip(batch, ["a red circle", "a much longer prompt about a star"], [5, 6], strict=True):
        alone = pipeline(prompt, seed=seed)
        assert (video.seed, video.prompt) == (seed, prompt)
        assert np.abs(video.frames.astype(int) - alone.frames).max() <= 1  # sums in another order


def test_guidance_leads_away_from_the_negative_prompt(pipeline):
    plain = pipeline("a", guidance_scale=4.0).frames
    assert not np.array_equal(pipeline("a", guidance_scale=4.0, negative_prompt="b").frames, plain)
    alone = pipeline("a", guidance_scale=1.0).frames
    assert np.array_equal(pipeline("a", guidance_scale=1.0, negative_prompt="b").frames, alone)
    assert np.abs(pipeline("a", negative_prompt="a", guidance_scale=4.0).frames.astype(int) - alone).max() <= 1


def test_latents_are_denormalised_before_decoding(pipeline):
    z = torch.randn(4, 2, 4, 6, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = pipeline.tae.decode((z * 2 + 0.5)[None], 9)[0]
        assert np.array_equal(pipeline.decode(z, 9), pixels_to_frames(expected))


def test_what_the_encoders_read():
    assert conditioning_text("a cat", DEFAULTS) == "FPS-3. a cat"
    assert conditioning_text("a cat", DEFAULTS.override(num_frames=1)) == "a cat"
    assert conditioning_text("", DEFAULTS) == ""


def test_pixels_are_rounded_and_cut():
    x = torch.tensor([-1.2, -1, 0, 0.999, 1, 3]).view(1, 1, 1, 6).expand(3, -1, -1, -1)
    assert pixels_to_frames(x)[0, 0, :, 0].tolist() == [0, 0, 128, 255, 255, 255]


def test_defaults_come_back_from_json():
    assert decode_defaults(json.loads(json.dumps(encode_defaults(DEFAULTS)))) == DEFAULTS


def test_latents_of_the_full_size():
    with torch.device("meta"):
        dit = VideoDiT(VideoDiTConfig(num_layers=1))
        tae = TAE(TAEConfig(channels=32))
    assert latent_size(VideoDefaults(), tae, dit) == (16, 32, 96, 96)
    with pytest.raises(UsageError, match="at most 256 frames of 1536x1536"):
        latent_size(VideoDefaults(num_frames=257), tae, dit)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"width": 40}, "width 40 is no multiple of 16 px; try 32"),
        ({"height": 80}, "at most 32 frames of 64x64"),
        ({"num_frames": 33}, "at most 32 frames of 64x64"),
        ({"num_frames": 0}, "num_frames is 0"),
        ({"num_inference_steps": 0}, "num_inference_steps is 0"),
        ({"fps": 0}, "fps is 0"),
    ],
)
def test_impossible_shapes_are_refused(pipeline, values, message):
    with pytest.raises(ValueError, match=message):
        pipeline("a", **values)


def test_networks_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match=r"text encoders are \(12,\) wide, the VideoDiT wants \(16,\)"):
        build(width=12)


def test_an_unfinished_folder_is_refused(folder):
    (folder / "model_index.json").unlink()
    with pytest.raises(UsageError, match=r"model_index\.json is missing; `moviegen train run`"):
        VideoPipeline.from_pretrained(folder)


def test_saving_again_has_no_index_until_it_is_whole(pipeline, folder, monkeypatch):
    monkeypatch.setattr("moviegen.pipelines.video.save_model", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        pipeline.save_pretrained(folder)
    assert not (folder / "model_index.json").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda index: index.update(format=9), "wanted format 1"),
        (lambda index: index["defaults"].pop("fps"), "'fps'"),
        (lambda index: index["text_encoders"][0].update({"class": "os.system"}), "text encoder class 'os.system'"),
    ],
)
def test_an_index_that_is_off_is_named(folder, change, message):
    path = folder / "model_index.json"
    index = json.loads(path.read_text())
    change(index)
    path.write_text(json.dumps(index))
    with pytest.raises(UsageError, match=message):
        VideoPipeline.from_pretrained(folder)


def test_a_frozen_transformers_encoder_travels_with_the_product(tmp_path):
    from transformers import ByT5Tokenizer, T5Config, T5EncoderModel

    from moviegen.models.text import TransformersTextEncoder

    base = build()
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=384, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2, pad_token_id=0, eos_token_id=1,
        tokenizer_class="ByT5Tokenizer",
    )  # fmt: skip
    text = TransformersTextEncoder(T5EncoderModel(config), ByT5Tokenizer(), 32, "quoted")
    pipeline = VideoPipeline(base.tae, base.video_dit, [text], DEFAULTS)
    pipeline.save_pretrained(tmp_path)
    loaded = VideoPipeline.from_pretrained(tmp_path)
    assert (loaded.text_encoders[0].role, loaded.text_encoders[0].max_length) == ("quoted", 32)
    assert np.array_equal(loaded('say "hi"').frames, pipeline('say "hi"').frames)
