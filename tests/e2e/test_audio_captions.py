"""A clip with sound, its audio caption, its tar, and the six fields again: through the jobs, with tiny models built here."""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import ClassVar

import numpy as np
import pytest

from curation.captioning.base import Caption
from curation.check import check_lake
from curation.config import CaptionConfig
from curation.detectors.base import AudioRequest, FrameRequest
from curation.rows import read_table
from moviegen.contracts.audio_caption import AudioCaption, encode_audio_caption
from moviegen.contracts.lake import Lake
from moviegen.media.write import write_video
from moviegen.testing.chat_server import numbered_frame
from training.data.shards import ShardReader, read_subset

pytest.importorskip("torch")
pytest.importorskip("transformers")

RATE = 16000
SOUNDS = {"loud": 0.6, "soft": 0.3, "silent": 0.0, "mute": None}
"""File -> loudest sample of its tone; None: no audio stream."""

HEARD = AudioCaption(7.0, False, True, "a choir", 0.9, "choral")


@dataclass(frozen=True)
class ScriptedCaptioner:
    """Says the same of every clip."""

    text: str
    name: ClassVar[str] = "scripted"
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ()
    is_audio: ClassVar[bool] = True
    frames: ClassVar[FrameRequest] = FrameRequest(audio=AudioRequest(RATE, is_mono=True))

    def caption(self, clip):
        return Caption(self.text)


SCRIPTED = f"{__name__}:ScriptedCaptioner"


@pytest.fixture(scope="module")
def sounding(mini, tmp_path_factory):
    """A config whose lake holds a clip of each of SOUNDS, kept, and the name of each clip."""
    folder = tmp_path_factory.mktemp("sounding")
    tone = np.sin(2 * np.pi * 440 * np.arange(round(4.3 * RATE)) / RATE)[None].astype(np.float32)
    for number, (name, level) in enumerate(SOUNDS.items()):
        frames = [numbered_frame(number, 160, 160)] * 43
        audio = None if level is None else level * tone
        write_video(folder / f"{name}.mp4", frames, Fraction(10), audio=audio, sample_rate=RATE)
    (folder / "rules.yaml").write_text("rules: []\n")
    lake = tmp_path_factory.mktemp("lake") / "lake"
    flags = ("--score.detectors", "{probe: {}}", "--filter.rules", str(folder / "rules.yaml"), "--dedup", "null")
    config = mini.config(lake, folder, *flags)
    mini.curate(config, ["ingest", "split", "score", "filter"])
    videos = {r["video_id"]: r["uri"].rpartition("/")[2].partition(".")[0] for r in read_table(Lake(lake), "videos")}
    return config, {r["clip_id"]: videos[r["video_id"]] for r in read_table(Lake(lake), "clips")}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    from moviegen.testing.sound_models import Loudness, save_script, save_tagger

    folder = tmp_path_factory.mktemp("models")
    quality = save_script(Loudness(), folder / "quality.ts")
    return {"tagger": str(save_tagger(folder / "tagger")), "quality_weights": str(quality)}


def captioned(config, **audio_captioners):
    return replace(config, caption=CaptionConfig(captioners={"template": {}}, audio_captioners=audio_captioners))


def metas(config, names):
    """Name of the file -> meta and caption of its sample, as training reads them."""
    subset = read_subset(config.lake)
    reader = ShardReader(subset)
    return {names[ref.key]: reader.read(ref)[:2] for ref in subset.samples}


def captions(config, captioner):
    return [row for row in read_table(Lake(config.lake), "captions") if row["captioner"] == captioner]


def test_sound_to_caption_to_tar_to_fields(mini, sounding, models):
    config, names = sounding
    heard = captioned(config, audio_template=models)
    mini.curate(heard, ["caption", "shard"])
    assert not mini.curate(heard, ["caption", "shard"]).did_work
    found = metas(heard, names)
    assert set(found) == set(SOUNDS)
    for name, level in SOUNDS.items():
        meta, caption = found[name]
        assert meta.captioner == "template", "what is heard is never the video's caption"
        assert caption.startswith("A square video of 4.3 seconds")
        if level:
            fields = meta.audio_caption
            assert fields.quality == pytest.approx(10 * level, abs=0.5)  # AAC moves the loudest sample a little
            assert fields == AudioCaption(fields.quality, False, False, "dog; music; piano", 0.5, "music; piano")
            assert meta.audio_captioner == "audio_template"
        else:
            assert (meta.audio_caption, meta.audio_captioner) == (None, None)
    written = {names[row["clip_id"]]: row["text"] for row in captions(heard, "audio_template")}
    assert written == {n: encode_audio_caption(m.audio_caption) for n, (m, _) in found.items() if m.audio_caption}
    assert check_lake(config.lake) == []


def test_an_audio_captioner_changes_only_the_tars_of_clips_with_sound(mini, sounding, models):
    config, names = sounding
    mini.curate(captioned(config), ["caption", "shard"])
    plain = metas(config, names)
    mini.curate(captioned(config, audio_template=models), ["caption", "shard"])
    found = metas(config, names)
    for name, level in SOUNDS.items():
        assert (found[name] == plain[name]) == (not level)
        assert replace(found[name][0], audio_caption=None, audio_captioner=None) == plain[name][0]
    mini.curate(captioned(config), ["caption", "shard"])
    assert metas(config, names) == plain, "taken out of the config, it is taken out of the tars"


def test_the_next_one_gets_what_the_first_had_nothing_to_say_of(mini, sounding, models):
    config, names = sounding
    scripted = {"captioner": SCRIPTED, "text": encode_audio_caption(HEARD)}
    mini.curate(captioned(config, audio_template=models, choir=scripted), ["caption", "shard"])
    found = {name: meta for name, (meta, _) in metas(config, names).items()}
    assert [names[row["clip_id"]] for row in captions(config, "choir")] == ["silent"], "no sound, nothing to hear"
    assert (found["silent"].audio_caption, found["silent"].audio_captioner) == (HEARD, "choir")
    assert found["loud"].audio_captioner == "audio_template"


def test_other_words_are_a_failure_of_the_caption_and_not_of_the_clip(mini, sounding):
    config, names = sounding
    mini.curate(captioned(config, wrong={"captioner": SCRIPTED, "text": "A dog barks."}), ["caption", "shard"])
    failures = [row for row in read_table(Lake(config.lake), "failures") if row["stage"] == "caption:wrong"]
    assert {names[row["input_id"]] for row in failures} == {"loud", "soft", "silent"}
    assert all(row["message"].startswith("no audio caption of six fields: 'A dog barks.'") for row in failures)
    assert {meta.audio_caption for meta, _ in metas(config, names).values()} == {None}
    assert check_lake(config.lake) == []
