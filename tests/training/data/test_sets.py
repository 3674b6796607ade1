"""Samples of people, edits and sound out of a lake's tars, and tars that are not what was committed."""

import pytest

from moviegen.contracts.shard import ShardError
from moviegen.errors import UsageError
from moviegen.testing.lake import TOY_BUCKETS, write_toy_lake
from moviegen.testing.toy_sets import write_toy_edits, write_toy_personal
from training.data.buckets import BatchSpec
from training.data.edits import EditPart, EditSource
from training.data.people import PersonalPart, PersonalSource
from training.data.sets import SetReader, Shape, read_set
from training.data.sound import SoundPart, SoundShape, SoundSource

SMALL = {"fps": 4, "width": 64, "height": 64, "duration": 4.5}


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    root = tmp_path_factory.mktemp("sets_lake")
    write_toy_lake(root, 1, 2, with_audio_captions=True, **SMALL)
    write_toy_personal(root, 2, 2, **SMALL)
    write_toy_edits(root, 3, 2, **SMALL)
    return root


def spec_of(source, position, frames=()):
    from dataclasses import replace

    from moviegen.contracts.bucket import decode_bucket

    bucket = decode_bucket(source.buckets[position])
    return BatchSpec(0, replace(bucket, num_frames=1) if frames else bucket, (position,), frames)


def test_people_come_with_a_face_on_black(lake):
    source = PersonalSource(lake, PersonalPart(1, pairing=("cross",)), Shape(TOY_BUCKETS, 64), 32, seed=0)
    assert len(source.refs) == 2
    batch = source.load(spec_of(source, 0))
    assert batch.pixels.shape == (1, 3, 16, 64, 64)
    assert batch.faces.shape == (1, 3, 32, 32)
    assert (batch.faces.amax(1) < 0.1).float().mean() > 0.5, "mostly black"
    assert batch.faces.max() > 0.5
    assert "person" in batch.captions[0]


def test_edits_change_what_their_task_says(lake):
    shape = Shape(TOY_BUCKETS, 64, num_frames=8)
    sources = {task: EditSource(lake, EditPart(1, (task,)), shape) for task in ("animate", "segment", "backtranslate")}
    batches = {task: source.load(spec_of(source, 0)) for task, source in sources.items()}
    negative = batches["backtranslate"]
    assert (negative.inputs + negative.pixels).abs().mean() < 0.1, "the input is the target's negative"
    assert batches["segment"].tasks == ["segment"]
    assert negative.tasks == ["global"]
    changed = (batches["segment"].inputs - batches["segment"].pixels).abs().amax((0, 1, 2)) > 0.3
    assert 0.01 < changed.float().mean() < 0.7, "the shape alone"
    still = sources["animate"].load(spec_of(sources["animate"], 0, frames=(0.5,)))
    assert still.pixels.shape == still.inputs.shape == (1, 3, 1, 64, 64)
    assert still.fps == [0.0]


def test_decoded_videos_are_kept_and_told_apart(lake, monkeypatch):
    """The second time nothing is decoded; input and target, video and single frame, are not taken for each other."""
    shape, part = Shape(TOY_BUCKETS, 64, num_frames=8), EditPart(1, ("backtranslate",))
    source, plain = EditSource(lake, part, shape, cache_bytes=2**24), EditSource(lake, part, shape)
    asked = [spec_of(source, 0), spec_of(source, 0, frames=(0.5,)), spec_of(source, 0, frames=(0.99,))]
    for spec in asked:
        source.load(spec)
    expected = [plain.load(spec) for spec in asked]
    monkeypatch.setattr("training.data.sets.read_video", lambda *_, **__: pytest.fail("decoded again"))
    for spec, batch in zip(asked, expected, strict=True):
        again = source.load(spec)
        assert again.inputs.equal(batch.inputs)
        assert again.pixels.equal(batch.pixels)


def test_sound_comes_with_frames_and_its_six_fields(lake):
    shape = SoundShape(sample_rate_hz=16000, frame_rate=4.0, frame_px=32)
    batch = SoundSource(lake, SoundPart(1, seconds=2.0), shape, seed=0).load(BatchSpec(3, None, (0, 1), ()))
    assert batch.sound.shape == (2, 1, 32000)
    assert batch.sound.abs().amax() > 0.01
    assert batch.pixels.shape == (2, 3, 8, 32, 32)
    assert batch.captions[0].startswith("This audio has quality: 5.0.")
    assert batch.num_samples.tolist() == [32000, 32000]
    long = SoundSource(lake, SoundPart(1, seconds=6.0), shape, seed=0).load(BatchSpec(0, None, (0,), ()))
    assert long.num_samples.tolist() == [round(4.5 * 16000)]
    assert not long.sound[..., round(4.5 * 16000) :].any(), "padded with silence"


def test_sound_and_frames_that_are_kept_are_those_that_are_read(lake, monkeypatch):
    shape, part = SoundShape(sample_rate_hz=16000, frame_rate=4.0, frame_px=32), SoundPart(1, seconds=2.0)
    kept, plain = (SoundSource(lake, part, shape, seed=0, cache_bytes=size) for size in (2**24, 0))
    asked = [BatchSpec(number, None, (0, 1), ()) for number in range(3)]
    kept.load(asked[0])
    expected = [plain.load(spec) for spec in asked]
    for name in ("read_video", "read_audio"):
        monkeypatch.setattr(f"training.data.sound.{name}", lambda *_, **__: pytest.fail("decoded again"))
    for spec, batch in zip(asked, expected, strict=True):
        assert kept.load(spec).sound.equal(batch.sound)
        assert kept.load(spec).pixels.equal(batch.pixels)
    assert not expected[0].sound.equal(expected[1].sound), "other chunks"


def test_a_tar_that_is_not_what_was_committed_is_refused(lake, tmp_path):
    import shutil

    root = shutil.copytree(lake, tmp_path / "lake")
    found = read_set(root, "edits", None)
    tar = root / found.shards[0].path
    tar.chmod(0o644)
    content = bytearray(tar.read_bytes())
    content[len(content) // 2] ^= 1
    tar.write_bytes(content)
    with pytest.raises(ShardError, match="sha256 differs"):
        SetReader(found).read(found.samples[0])


def test_facts_of_a_tar_are_read_once_and_made_again_when_damaged(lake, tmp_path, monkeypatch):
    monkeypatch.setenv("MOVIEGEN_CACHE", str(tmp_path))
    found, shape, read = read_set(lake, "edits", None), Shape(TOY_BUCKETS, 64, num_frames=8), []
    original = SetReader._read_facts
    monkeypatch.setattr(SetReader, "_read_facts", lambda self, ref: read.append(ref.key) or original(self, ref))
    first = SetReader(found).facts(found.samples)
    assert sorted(read) == [ref.key for ref in found.samples]
    assert SetReader(found).facts(found.samples[::-1]) == first[::-1]
    assert len(read) == len(first)
    for path in tmp_path.rglob("*.facts"):
        path.write_bytes(path.read_bytes()[:-1] + b" ")
    assert SetReader(found).facts(found.samples) == first
    assert len(read) == 2 * len(first)
    assert EditSource(lake, EditPart(1, ("animate",)), shape).groups


def test_what_a_lake_has_not_is_said(lake, repo_root):
    with pytest.raises(UsageError, match=r"no set 'faces' of kind personal: it has people"):
        read_set(lake, "personal", "faces")
    with pytest.raises(UsageError, match="no sample of nonsense"):
        read_set(lake, "edits", None, ["nonsense"])
    with pytest.raises(ValueError, match="either t2v or tasks"):
        EditPart(4)
