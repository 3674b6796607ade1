"""Taggers, quality predictors and audio-video models by path: tiny ones, built here, whose right answer is known."""

import json

import numpy as np
import pytest

from curation.captioning import load_captioner
from curation.detectors import detector_version, load_detector
from curation.detectors.audio_tagger import cut_windows
from curation.detectors.audioset import MUSIC, SINGING, SPEECH, kind_of, strongest
from moviegen.contracts.audio_caption import decode_audio_caption
from moviegen.errors import UsageError
from moviegen.media.audio import Sound, resample

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
from moviegen.testing.sound_models import Levels, Loudness, save_script, save_tagger  # noqa: E402

RATE = 16000


def noise(seconds: float, level: float = 0.3, rate: int = RATE) -> Sound:
    samples = np.random.default_rng(0).uniform(-level, level, (1, round(seconds * rate)))
    return Sound(samples.astype(np.float32), rate, "mono")


@pytest.fixture(scope="session")
def tagger(tmp_path_factory):
    """A tiny AST: Dog 0.9, Music 0.5, Speech 0.1, whatever it hears."""
    torch.manual_seed(0)
    return save_tagger(tmp_path_factory.mktemp("tagger"))


class TwoNumbers(torch.nn.Module):
    """No quality: two numbers."""

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        return samples[:, :2]


class Levelless(torch.nn.Module):
    """One answer where two are wanted."""

    def forward(self, frames: torch.Tensor, samples: torch.Tensor) -> torch.Tensor:
        return frames.mean(dim=(1, 2, 3, 4)).reshape(1, 1)


class TestLabels:
    def test_groups_share_nothing(self):
        assert not SPEECH & SINGING
        assert not MUSIC & (SPEECH | SINGING)
        kinds = {label: kind_of(label) for label in ("Rapping", "Dog", "Silence", "Echo", "Funk", "Bicycle bell")}
        assert list(kinds.values()) == ["singing", "sound", "silence", "place", "music", "sound"]

    def test_strongest_of_each_kind(self):
        assert strongest({"Dog": 0.2, "Bark": 0.6, "Piano": 0.1}) == {"sound": 0.6, "music": 0.1}


class TestTagger:
    def test_scores_are_the_heads(self, tagger, clip_input):
        scores = load_detector("sound_tags", {"tagger": str(tagger)}).score(clip_input(audio=noise(2)))
        assert scores == pytest.approx(
            {f"sound_tags.{kind}": share for kind, share in
             {"speech": 0.1, "singing": 0.02, "music": 0.5, "silence": 0.03, "sound": 0.9}.items()}, abs=1e-4,
        )  # fmt: skip

    def test_no_track_no_score(self, tagger, clip_input):
        assert load_detector("sound_tags", {"tagger": str(tagger)}).score(clip_input()) == {}

    def test_asks_for_the_taggers_rate(self, tagger):
        assert load_detector("sound_tags", {"tagger": str(tagger)}).frames.audio.sample_rate == RATE

    def test_windows_cover_all_of_a_sound(self):
        samples = np.arange(2500)
        windows = cut_windows(samples, 1000, 100)
        assert [len(w) for w in windows] == [1000, 1000, 1000]
        assert set(np.concatenate(windows)) == set(samples.tolist())
        assert len(cut_windows(samples[:40], 1000, 100)[0]) == 100

    def test_without_weights_there_is_no_detector(self, tmp_path):
        with pytest.raises(UsageError, match=r"no config.json, preprocessor_config.json, model.safetensors in .*AST"):
            load_detector("sound_tags", {"tagger": str(tmp_path)})

    def test_missing_weights_are_no_random_numbers(self, tagger, tmp_path, clip_input):
        from safetensors.torch import load_file, save_file

        for path in tagger.iterdir():
            (tmp_path / path.name).write_bytes(path.read_bytes())
        state = load_file(tagger / "model.safetensors")
        kept = {name: value for name, value in state.items() if "classifier" not in name}
        save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(UsageError, match="lacks weights of ASTForAudioClassification: classifier"):
            load_detector("sound_tags", {"tagger": str(tmp_path)}).score(clip_input(audio=noise(1)))

    def test_other_weights_are_another_version(self, tagger, tmp_path):
        for path in tagger.iterdir():
            (tmp_path / path.name).write_bytes(path.read_bytes())
        versions = {detector_version(load_detector("sound_tags", {"tagger": str(f)})) for f in (tagger, tmp_path)}
        assert len(versions) == 1
        config = json.loads((tmp_path / "config.json").read_text())
        (tmp_path / "config.json").write_text(json.dumps(config | {"id2label": {}}))
        assert detector_version(load_detector("sound_tags", {"tagger": str(tmp_path)})) not in versions


class TestQuality:
    def test_mean_over_windows(self, tmp_path, clip_input):
        """Ten seconds at a level of 0.2 and ten at 0.6, in two windows: 2 and 6 make 4."""
        weights = save_script(Loudness(), tmp_path / "q.ts")
        samples = np.concatenate([np.full(10 * RATE, 0.2), np.full(10 * RATE, 0.6)]).astype(np.float32)
        found = load_detector("audio_quality", {"weights": str(weights)}).score(
            clip_input(audio=Sound(samples[None], RATE, "mono"))
        )
        assert found == pytest.approx({"audio_quality.score": 4.0})

    def test_refusals(self, tmp_path, clip_input):
        with pytest.raises(UsageError, match=r"no file .*q.ts. Put a TorchScript module there, samples \(1, N\)"):
            load_detector("audio_quality", {"weights": str(tmp_path / "q.ts")})
        (tmp_path / "q.ts").write_bytes(b"no module")
        with pytest.raises(UsageError, match="cannot be read as TorchScript"):
            load_detector("audio_quality", {"weights": str(tmp_path / "q.ts")}).score(clip_input(audio=noise(1)))
        weights = save_script(TwoNumbers(), tmp_path / "two.ts")
        with pytest.raises(UsageError, match="does not answer one number"):
            load_detector("audio_quality", {"weights": str(weights)}).score(clip_input(audio=noise(1)))


class TestSync:
    def frames(self, levels):
        return [np.full((90, 160, 3), round(255 * level), np.uint8) for level in levels for _ in range(2)]

    def sound(self, levels):
        samples = np.repeat(np.array(levels, np.float32), RATE)[None]
        return Sound(samples, RATE, "mono")

    @pytest.mark.parametrize(
        ("seen", "heard", "cosine"),
        [((1, 0, 0), (0.5, 0, 0), 1.0), ((1, 0, 0), (0, 0.5, 0), 0.0), ((1, 1, 0), (0.5, 0, 0), 0.5**0.5)],
    )
    def test_cosine_is_the_modules(self, tmp_path, clip_input, seen, heard, cosine):
        weights = save_script(Levels(), tmp_path / "av.ts")
        detector = load_detector("sync", {"weights": str(weights), "count": 6, "side_px": 16})
        assert detector.frames.count == 6
        clip = clip_input(frames=self.frames(seen), audio=self.sound(heard))
        assert detector.score(clip)["sync.cosine"] == pytest.approx(cosine, abs=1e-3)

    def test_silence_points_nowhere(self, tmp_path, clip_input):
        weights = save_script(Levels(), tmp_path / "av.ts")
        detector = load_detector("sync", {"weights": str(weights), "count": 6, "side_px": 16})
        assert detector.score(clip_input(frames=self.frames((1, 0, 0)), audio=self.sound((0, 0, 0)))) == {}
        assert detector.score(clip_input(frames=self.frames((1, 0, 0)))) == {}

    def test_refusals(self, tmp_path, clip_input):
        with pytest.raises(UsageError, match="two embeddings"):
            load_detector("sync", {"weights": str(tmp_path / "av.ts")})
        for module, message in ((Levelless(), r"gives \[\(1, 1\)\]; wanted frames"), (Loudness(), "does not take")):
            weights = save_script(module, tmp_path / "odd.ts")
            detector = load_detector("sync", {"weights": str(weights), "count": 6, "side_px": 16})
            with pytest.raises(UsageError, match=message):
                detector.score(clip_input(frames=self.frames((1, 0, 0)), audio=self.sound((1, 0, 0))))


class TestCaptioner:
    def load(self, tagger, tmp_path, **params):
        weights = save_script(Loudness(), tmp_path / "q.ts")
        return load_captioner("audio_template", {"tagger": str(tagger), "quality_weights": str(weights), **params})

    def test_the_six_fields_are_what_the_models_say(self, tagger, tmp_path, clip_input):
        written = self.load(tagger, tmp_path).caption(clip_input(audio=noise(5, level=0.6)))
        fields = decode_audio_caption(written.text)
        assert fields.quality == pytest.approx(6.0, abs=0.05)
        assert (fields.has_speech, fields.has_singing, fields.music_probability) == (False, False, 0.5)
        assert (fields.sound, fields.music) == ("dog; music; piano", "music; piano")

    def test_each_model_hears_at_its_rate(self, tagger, tmp_path, clip_input):
        captioner = self.load(tagger, tmp_path, quality_sample_rate=24000)
        assert captioner.frames.audio.sample_rate == 24000
        assert captioner.caption(clip_input(audio=noise(5, rate=24000))) is not None

    def test_nothing_to_say_without_sound(self, tagger, tmp_path, clip_input):
        captioner = self.load(tagger, tmp_path)
        assert captioner.caption(clip_input()) is None
        assert captioner.caption(clip_input(audio=noise(2, level=0.0))) is None

    def test_no_weights_no_caption(self, tagger, tmp_path):
        with pytest.raises(UsageError, match=r"captioner audio_template: no file .*none\.ts"):
            load_captioner("audio_template", {"tagger": str(tagger), "quality_weights": str(tmp_path / "none.ts")})


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
def test_resampling_keeps_a_tone(rate):
    def tone(rate):
        return 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)[None].astype(np.float32)

    found = resample(Sound(tone(RATE), RATE, "mono"), rate)
    assert (found.sample_rate, found.samples.shape) == (rate, (1, rate))
    np.testing.assert_allclose(found.samples[:, 500:-500], tone(rate)[:, 500:-500], atol=0.01)
