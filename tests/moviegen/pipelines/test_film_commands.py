"""`moviegen upsample` and `moviegen soundtrack`: the files, read back by PyAV, and a word for every mistake."""

import json
from fractions import Fraction

import av
import numpy as np
import pytest

from moviegen.cli import main
from moviegen.media.audio import read_audio
from moviegen.media.chunks import iter_chunks, survey
from moviegen.media.mux import mux
from moviegen.media.read import read_video
from moviegen.media.write import write_video
from moviegen.pipelines.recipe import read_recipe, sidecar_of
from moviegen.testing.sound_models import Loudness, save_script
from moviegen.testing.tiny_products import tiny_soundtrack, tiny_upsampler

FPS = Fraction(24000, 1001)
NUM_FRAMES = 17


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A film with a tone, one without sound, and the two products."""
    folder = tmp_path_factory.mktemp("films")
    tiny_upsampler().save_pretrained(folder / "upsampler")
    tiny_soundtrack().save_pretrained(folder / "soundtrack")
    rows = np.arange(24)[:, None, None]
    frames = [np.broadcast_to((rows * 8 + 5 * i) % 256, (24, 32, 3)).astype(np.uint8) for i in range(NUM_FRAMES)]
    tone = 0.3 * np.sin(np.arange(round(NUM_FRAMES / FPS * 48000)) * 2 * np.pi * 440 / 48000)
    (folder / "in").mkdir()
    write_video(folder / "in" / "loud.mp4", frames, FPS, audio=np.stack([tone, 0.5 * tone]))
    write_video(folder / "in" / "mute.mkv", frames, FPS)
    return folder


def packets(path, kind: str) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(**{kind: 0}) if packet.size]


def upsample(folder, *words: str) -> int:
    return main(["upsample", *words, "--model", str(folder / "upsampler"), "--num-inference-steps", "1"])


def soundtrack(folder, *words: str) -> int:
    return main(["soundtrack", *words, "--model", str(folder / "soundtrack"), "--num-inference-steps", "1"])


def test_a_larger_film_has_every_frame_and_the_sound_packet_by_packet(folder, tmp_path, capsys):
    source, out = folder / "in" / "loud.mp4", tmp_path / "large.mp4"
    assert upsample(folder, str(source), "--output", str(out), "--height", "54", "--json") == 0
    assert read_video(out).shape == (NUM_FRAMES, 54, 72, 3)
    assert packets(out, "audio") == packets(source, "audio")
    with av.open(str(out)) as container:
        assert container.streams.video[0].average_rate == FPS
        times = [frame.time for frame in container.decode(video=0)]
    assert times == pytest.approx([float(i / FPS) for i in range(NUM_FRAMES)], abs=1e-6)
    heard, own = read_audio(out, mono=False), read_audio(source, mono=False)
    assert np.array_equal(heard, own)
    row = json.loads(capsys.readouterr().out)
    assert (row["width"], row["height"], row["num_frames"]) == (72, 54, NUM_FRAMES)
    recipe = read_recipe(out)
    assert recipe.command == "upsample"
    assert recipe.settings["fps"] == "24000/1001"
    assert json.loads(sidecar_of(out).read_text())["places"]["video"] == str(source)


def test_sound_goes_under_the_pictures_which_are_copied(folder, tmp_path):
    source, out = folder / "in" / "mute.mkv", tmp_path / "out" / "loud.mkv"
    assert soundtrack(folder, str(source), "--output", str(out), "--prompt", "rain") == 0
    assert packets(out, "video") == packets(source, "video")
    length = round(NUM_FRAMES / FPS * 8000)
    with av.open(str(out)) as container:
        assert container.streams.audio[0].codec_context.name == "aac"
        assert container.streams.audio[0].codec_context.sample_rate == 8000
    heard = read_audio(out, sample_rate=8000)
    assert abs(heard.shape[1] - length) <= 1024  # Matroska keeps AAC's last frame whole
    assert read_recipe(out).settings["num_samples"] == length
    assert '"rain"' in read_recipe(out).settings["text"]


def test_an_mp4_has_the_samples_to_the_last_one_and_they_sound_as_made(folder, tmp_path):
    source = folder / "in" / "loud.mp4"
    for name in ("a.mp4", "a.wav"):
        assert soundtrack(folder, str(source), "--output", str(tmp_path / name), "--seed", "3") == 0
    length = round(NUM_FRAMES / FPS * 8000)
    exact = read_audio(tmp_path / "a.wav", sample_rate=8000)[0]
    assert exact.shape == (length,)
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.audio[0]
        assert (stream.duration, stream.time_base) == (length, Fraction(1, 8000))
    coded = read_audio(tmp_path / "a.mp4", sample_rate=8000)[0][:length]  # the decoder gives AAC's last frame whole
    assert np.corrcoef(exact, coded)[0, 1] > 0.9  # in step: one sample of noise off is no likeness at all


def test_kept_sound_is_the_film_s_own(folder, tmp_path):
    source, out = folder / "in" / "loud.mp4", tmp_path / "a.wav"
    words = ["--keep", "0-0.3", "--mode", "autoregressive", "--window_s", "0.4", "--context_s", "0.2"]
    assert soundtrack(folder, str(source), "--output", str(out), *words) == 0
    made, own = (read_audio(path, sample_rate=8000)[0] for path in (out, source))
    assert np.abs(made[:2300] - own[:2300]).max() < 1e-3  # 16 bits
    assert np.abs(made[3000:5000] - own[3000:5000]).max() > 0.05


def test_a_batch_goes_on_where_it_was_stopped(folder, tmp_path, capsys):
    words = [str(folder / "in"), "--output", str(tmp_path / "out"), "--num_candidates", "2"]
    assert soundtrack(folder, *words) == 0
    made = sorted(path.name for path in (tmp_path / "out").glob("*.mp4"))
    assert made == ["loud.mp4", "mute.mp4"]
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.mp4")}
    (tmp_path / "out" / "mute.mp4").unlink()
    capsys.readouterr()
    assert soundtrack(folder, *words) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [str(tmp_path / "out" / "mute.mp4")]
    assert "there already" in captured.err
    assert (tmp_path / "out" / "loud.mp4").stat().st_mtime_ns == before["loud.mp4"]
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]


def test_several_outputs_have_a_seed_each_and_reproduce_to_the_byte(folder, tmp_path):
    out = tmp_path / "out"
    words = ["--duration_s", "0.5", "--prompt", "rain", "--output", str(out), "--num_outputs", "2", "--seed", "4"]
    assert soundtrack(folder, *words) == 0
    first, second = out / "sound_4.wav", out / "sound_5.wav"
    assert read_audio(first, sample_rate=8000).shape == (1, 4000)
    assert not np.array_equal(read_audio(first, sample_rate=8000), read_audio(second, sample_rate=8000))
    again = tmp_path / "again.wav"
    assert main(["reproduce", str(second), "--output", str(again)]) == 0
    assert again.read_bytes() == second.read_bytes()


def test_films_reproduce_to_the_byte(folder, tmp_path):
    source = folder / "in" / "loud.mp4"
    assert upsample(folder, str(source), "--output", str(tmp_path / "u.mp4")) == 0
    assert soundtrack(folder, str(source), "--output", str(tmp_path / "s.mp4")) == 0
    for name in ("u.mp4", "s.mp4"):
        assert main(["reproduce", str(tmp_path / name), "--output", str(tmp_path / f"again_{name}")]) == 0
        assert (tmp_path / f"again_{name}").read_bytes() == (tmp_path / name).read_bytes()


def test_candidates_are_ranked_by_a_model_after_every_segment_and_the_file_is_made_again(folder, tmp_path):
    quality, out = save_script(Loudness(), tmp_path / "quality.pt"), tmp_path / "loud.mp4"
    words = ["--num_candidates", "3", "--score", "models", "--quality_model", str(quality), "--mode", "autoregressive"]
    words += ["--rerank", "segments", "--window_s", "0.3", "--context_s", "0.1", "--output", str(out)]
    assert soundtrack(folder, str(folder / "in" / "loud.mp4"), *words) == 0
    recipe = read_recipe(out)
    assert set(recipe.inputs) == {"video", "quality_model"}
    assert (recipe.settings["score"], recipe.settings["rerank"]) == ("models", "segments")
    assert main(["reproduce", str(out)]) == 0


@pytest.mark.parametrize("run", [upsample, soundtrack])
def test_dry_run_writes_nothing(folder, tmp_path, capsys, run):
    assert run(folder, str(folder / "in" / "loud.mp4"), "--output", str(tmp_path / "a.mp4"), "--dry-run") == 0
    assert list(tmp_path.iterdir()) == []
    assert "would write" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("run", "words", "message"),
    [
        (upsample, ["none.mp4", "--output", "a.mp4"], "no such file or folder"),
        (upsample, ["LOUD", "--output", "a.gif"], "ends in one of"),
        (upsample, ["IN", "--output", "a.mp4"], "it is a folder"),
        (upsample, ["LOUD", "--output", "a.mp4", "--height", "8"], "makes films larger"),
        (upsample, ["LOUD", "--output", "LOUD"], "is the film itself"),
        (upsample, ["LOUD", "--output", "a.mp4", "--crf", "99"], "--crf is 99"),
        (soundtrack, ["--output", "a.wav"], "either a VIDEO or --duration_s"),
        (soundtrack, ["--duration_s", "2", "--output", "a.wav"], "say what is heard"),
        (soundtrack, ["--duration_s", "2", "--prompt", "x", "--output", "a.mp4"], "it is a .wav"),
        (soundtrack, ["LOUD", "--output", "a.mp4", "--quality", "11", "--prompt", "x"], "quality is 11"),
        (soundtrack, ["LOUD", "--output", "a.mp4", "--keep", "5"], "wanted seconds as"),
        (soundtrack, ["LOUD", "--output", "a.mp4", "--window_s", "1", "--context_s", "2"], "context_s is 2"),
        (soundtrack, ["LOUD", "--output", "a.mp4", "--num_candidates", "2", "--score", "x.pt"], "x.pt"),
        (soundtrack, ["LOUD", "--output", "a.mp4", "--num_candidates", "2", "--score", "models"], "go together"),
        (soundtrack, ["LOUD", "--output", "a.mp4", "--quality_model", "x.pt"], "go together"),
        (
            soundtrack,
            ["LOUD", "--output", "a.mp4", "--num_candidates", "2", "--score", "models", "--sync_model", "x.pt"],
            "x.pt",
        ),
        (soundtrack, ["LOUD", "--output", "a.mp4", "--rerank", "segments"], "--rerank segments wants"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_written(folder, tmp_path, monkeypatch, capsys, run, words, message):
    monkeypatch.chdir(tmp_path)
    places = {"LOUD": str(folder / "in" / "loud.mp4"), "IN": str(folder / "in")}
    assert run(folder, *(places.get(word, word) for word in words)) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_product_of_another_kind_is_named(folder, tmp_path, capsys):
    source = str(folder / "in" / "loud.mp4")
    model = ["--model", str(folder / "soundtrack"), "--output", str(tmp_path / "a.mp4")]
    assert main(["upsample", source, *model]) == 2
    assert "of a UpsamplePipeline" in capsys.readouterr().err


def test_chunks_of_any_size_are_the_film(folder):
    for name in ("loud.mp4", "mute.mkv"):
        path = folder / "in" / name
        found = survey(path)
        assert (found.num_frames, found.width, found.height) == (NUM_FRAMES, 32, 24)
        assert found.duration == NUM_FRAMES / FPS
        assert found.times_s.tolist() == pytest.approx([float(i / FPS) for i in range(NUM_FRAMES)], abs=1e-9)
        whole = read_video(path)
        for count in (1, 5, 100):
            pieces = list(iter_chunks(path, found, chunk_bytes=count * 3 * 32 * 24))
            assert np.array_equal(np.concatenate(pieces), whole)
            assert max(map(len, pieces)) <= count


def test_sound_that_an_mp4_does_not_take_is_encoded_and_stays_in_step(folder, tmp_path):
    """A tone that begins after half a second, as PCM in Matroska, is still there after that time in the mp4."""
    tone = np.zeros((2, 24000), np.float32)
    tone[:, 12000:] = 0.5 * np.sin(np.arange(12000) * 0.2)
    with av.open(str(tmp_path / "pcm.mkv"), "w") as target, av.open(str(folder / "in" / "mute.mkv")) as source:
        video = target.add_stream_from_template(source.streams.video[0])
        audio = target.add_stream("pcm_s16le", rate=24000, layout="stereo")
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = video
                target.mux(packet)
        frame = av.AudioFrame.from_ndarray((tone * 32767).astype("<i2").T.reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate, frame.pts = 24000, 0
        target.mux(audio.encode(frame) + audio.encode(None))
    mux(folder / "in" / "loud.mp4", tmp_path / "out.mp4", sound_from=tmp_path / "pcm.mkv")
    heard = read_audio(tmp_path / "out.mp4", end_s=1.0, sample_rate=24000)[0]
    assert heard.shape == (24000,)
    begins = np.flatnonzero(np.abs(heard) > 0.1)[0]
    assert abs(begins - 12000) < 100
