"""The captioner on tiny models of random weights: two families, the same way in."""

import dataclasses
import shutil
from dataclasses import replace

import numpy as np
import pytest

from curation.captioning import captioner_version, load_captioner
from curation.captioning.base import caption_clips
from curation.captioning.hub import hub_folder
from moviegen.errors import UsageError
from moviegen.testing.tiny_vlm import save_tiny_vlm

pytest.importorskip("transformers")


@pytest.fixture(scope="module", params=["llava_next_video", "perception_lm"])
def folder(request, tmp_path_factory):
    """A tiny model of each family."""
    if request.param == "perception_lm":
        pytest.importorskip("timm")
    return save_tiny_vlm(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture
def noisy(clip_input):
    """`noisy(seed)`: a clip of random frames."""

    def make(seed: int, num_frames: int = 4, height: int = 40):
        rng = np.random.default_rng(seed)
        frames = [rng.integers(0, 256, (height, 60, 3), dtype=np.uint8) // (1 + seed % 3) for _ in range(num_frames)]
        found = clip_input(frames=frames)
        return replace(found, clip=replace(found.clip, clip_id=f"{seed:032x}"))

    return make


def captioner_of(folder, **params):
    return load_captioner("transformers_vlm", {"model": str(folder), "max_new_tokens": 12, "num_frames": 4} | params)


def test_frames_go_in_and_a_text_comes_out(folder, noisy):
    captioner = captioner_of(folder)
    clip = noisy(0)
    assert len(captioner.frames.indices(48)) == 4
    caption = captioner.caption(clip)
    assert caption.text
    assert caption == captioner.caption(clip), "greedy answers do not change"
    others = [
        [255 - f for f in clip.frames],
        [f // 4 for f in clip.frames],
        [np.full_like(f, 255) for f in clip.frames],
    ]
    assert {captioner.ask([other])[0] for other in others} != {caption.text}, "the model looks at the frames"


def test_several_at_once_say_what_each_says_alone(folder, noisy):
    clips = [noisy(n) for n in range(5)] + [noisy(5, num_frames=2), noisy(6, height=50), noisy(7)]
    alone = {clip.clip.clip_id: captioner_of(folder).caption(clip) for clip in clips}
    together = list(caption_clips(captioner_of(folder, batch_size=4), iter(clips)))
    assert len(together) == len(clips)
    assert {answer.clip_id: answer.caption for answer in together} == alone
    assert len(set(alone.values())) > 1


def test_clips_are_taken_by_the_batch(folder, noisy):
    taken = []
    clips = (taken.append(n) or noisy(n) for n in range(6))
    answers = caption_clips(captioner_of(folder, batch_size=2), clips)
    next(answers)
    assert taken == [0, 1]


def test_what_one_clip_does_wrong_is_its_own_failure(folder, noisy):
    broken = replace(noisy(1), frames=[np.zeros((40, 60, 5), np.uint8)] * 4)
    clips = [noisy(0), broken, noisy(2)]
    answers = {answer.clip_id: answer for answer in caption_clips(captioner_of(folder, batch_size=3), clips)}
    assert [answers[clip.clip.clip_id].error is None for clip in clips] == [True, False, True]


def test_drawn_words_follow_the_seed_and_the_clip_not_the_batch(folder, noisy):
    def said(seed, batch_size, order):
        captioner = captioner_of(folder, temperature=1.0, seed=seed, batch_size=batch_size)
        return {a.clip_id: a.caption for a in caption_clips(captioner, [noisy(n) for n in order])}

    assert said(0, 1, (0, 1, 2)) == said(0, 3, (2, 0, 1))
    assert said(0, 1, (0, 1, 2)) != said(1, 1, (0, 1, 2))


def test_a_hub_id_is_read_from_the_hubs_cache(folder, noisy, tmp_path, monkeypatch):
    from huggingface_hub import constants

    commit = "0123456789abcdef0123456789abcdef01234567"
    shutil.copytree(folder, tmp_path / "models--toy--captioner" / "snapshots" / commit)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    hub_folder.cache_clear()
    captioner = load_captioner(
        "transformers_vlm", {"hub_id": "toy/captioner", "revision": commit, "max_new_tokens": 12, "num_frames": 4}
    )
    assert captioner.caption(noisy(0)) == captioner_of(folder).caption(noisy(0))
    assert captioner_version(captioner) == captioner_version(dataclasses.replace(captioner, batch_size=8))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "give one of model .* and hub_id"),
        ({"hub_id": "toy/captioner"}, "revision is None, wanted the commit of toy/captioner"),
        ({"hub_id": "toy/captioner", "revision": "main"}, "a branch would be another model tomorrow"),
        ({"hub_id": "weights/a/b", "revision": "0" * 40}, "wanted owner/name; a folder goes into `model`"),
    ],
)
def test_what_names_no_model_is_refused(params, message):
    with pytest.raises(UsageError, match=message):
        load_captioner("transformers_vlm", params)


def test_the_version_follows_the_weights_not_the_folder(tmp_path):
    versions = []
    for name, content in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
        (tmp_path / name / "model.safetensors").write_bytes(content)
        versions.append(captioner_version(load_captioner("transformers_vlm", {"model": str(tmp_path / name)})))
    assert versions[0] == versions[1] != versions[2]


def test_refusals_say_what_to_put_where(tmp_path):
    with pytest.raises(UsageError, match=r"no config\.json in .*Put a model there"):
        load_captioner("transformers_vlm", {"model": str(tmp_path)})
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UsageError, match="cannot be read as a video-language model"):
        load_captioner("transformers_vlm", {"model": str(tmp_path)}).ask([[np.zeros((8, 8, 3), np.uint8)]])


def test_a_model_that_lacks_weights_is_refused(folder, tmp_path):
    """The library would fill them with random numbers: captions of nothing."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, tmp_path / "model")
    path = tmp_path / "model" / "model.safetensors"
    weights = load_file(path)
    lost = sorted(name for name in weights if "layers" in name)[0]
    save_file({name: tensor for name, tensor in weights.items() if name != lost}, path, metadata={"format": "pt"})
    with pytest.raises(UsageError, match=r"captioner transformers_vlm: .* lacks weights of .*: .*layers"):
        captioner_of(tmp_path / "model").ask([[np.zeros((8, 8, 3), np.uint8)]])
