"""Cached latents: exactly what the TAE gives, measured, committed, resumed."""

import pickle
import re
import shutil

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moviegen.contracts.bucket import decode_bucket
from moviegen.errors import UsageError
from moviegen.models.tae import TAE
from moviegen.testing.lake import TOY_BUCKETS
from training.data.buckets import BatchSpec
from training.data.columns import Samples, write_samples
from training.data.gather import LatentReader
from training.data.latents import (
    SAMPLES_FILE,
    LatentFile,
    LatentIndex,
    LatentSample,
    decode_index,
    encode_index,
    frame_positions,
    read_index,
    read_samples,
)
from training.data.sources import LatentSource, ShardSource
from training.encode import encode

names = st.text("abcdef0123456789", min_size=1, max_size=32)
samples = st.lists(
    st.builds(LatentSample, names, names, st.text(st.characters(codec="utf-8")), st.floats(0.1, 60)),
    min_size=1,
    max_size=9,
)
files = st.builds(LatentFile, names, st.just("1x1-f16"), names, st.integers(1, 9), st.integers(1, 9))
indices = st.builds(
    LatentIndex,
    names,
    names,
    names,
    st.integers(16, 768),
    st.integers(1, 9),
    st.tuples(files),
    st.tuples(names),
    names,
    names,
)


@settings(max_examples=20)
@given(samples)
def test_columns_are_the_rows(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("columns") / "samples.arrow"
    sha256 = write_samples(path, rows)
    read = pickle.loads(pickle.dumps(Samples(path, sha256)))
    assert [
        LatentSample(*row) for row in zip(read.keys, read.videos, read.captions, read.fps.tolist(), strict=True)
    ] == rows
    assert (read.captions[-1], read.captions[:2]) == (rows[-1].caption, [row.caption for row in rows[:2]])
    whole, keys = pickle.loads(pickle.dumps((read, read.keys)))
    assert whole.keys is keys
    assert write_samples(path, rows) == sha256


@given(indices)
def test_index_round_trip(index):
    assert decode_index(encode_index(index)) == index


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 1}', '{"format": 2, "files": 3}'])
def test_what_is_no_index_is_refused(text):
    with pytest.raises(ValueError, match=r"index|format"):
        decode_index(text)


@given(st.integers(1, 256), st.integers(1, 20))
def test_frames_are_spread_and_in_the_clip(num_frames, image_frames):
    places = frame_positions(num_frames, image_frames)
    assert places == sorted(set(places))
    assert len(places) == min(num_frames, image_frames)
    assert 0 <= places[0] <= places[-1] < num_frames


def open_reader(folder):
    """Reader and list of the samples of a folder of latents."""
    index = read_index(folder)
    samples = read_samples(folder, index)
    return LatentReader(folder, index.files, samples.keys), samples


def test_cached_latents_are_the_taes(encoded, trained_tae, toy_lake):
    index = read_index(encoded / "latents")
    tae = TAE.from_pretrained(trained_tae / "model")
    source = ShardSource(toy_lake, "toy", TOY_BUCKETS, 32, cache_bytes=2**22)
    reader, samples = open_reader(encoded / "latents")
    by_key = {ref.key: i for i, ref in enumerate(source.subset.samples)}
    from training.data.decode import to_tensor

    assert len(samples) == sum(file.num_samples for file in index.files) == 17
    for number, key in enumerate(samples.keys):
        pixels = to_tensor(source.read_clip(by_key[key]).frames)[None]
        assert samples.captions[number] == source.subset.samples[by_key[key]].caption
        with torch.no_grad():
            wanted, image = tae.encode(pixels), tae.encode(pixels[:, :, frame_positions(16, 3)[1], None])
        mean, std = reader.read(number)
        torch.testing.assert_close(mean[None], wanted.mean, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(std[None], torch.exp(0.5 * wanted.logvar), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(reader.read(number, 1)[0][None], image.mean, rtol=1e-4, atol=1e-4)


def test_normalised_latents_have_mean_0_and_one_std_of_1(encoded):
    tae = TAE.from_pretrained(encoded / "model")
    reader, samples = open_reader(encoded / "latents")
    values = []
    for number in range(len(samples)):
        mean, std = reader.read(number)
        draws = mean[None] + std[None] * torch.randn(64, *mean.shape, generator=torch.Generator().manual_seed(0))
        values.append(tae.normalize(draws).transpose(0, 1).flatten(1))
    normal = torch.cat(values, dim=1)
    torch.testing.assert_close(normal.mean(1), torch.zeros(4), atol=0.05, rtol=0)
    assert float(normal.square().mean()) == pytest.approx(1, abs=0.05)
    assert len(set(tae.latent_std.tolist())) == 1, "channels keep their relative size"


def test_another_process_loads_the_same_batch(encoded):
    source, spec = LatentSource(encoded / "latents"), BatchSpec(0, decode_bucket("16x9-f16"), (1, 0), ())
    sent = pickle.loads(pickle.dumps(source))
    one, two = source.load(spec), sent.load(spec)
    assert torch.equal(one.latent_mean, two.latent_mean)
    assert (one.keys, one.captions, one.fps) == (two.keys, two.captions, two.fps)
    assert list(sent.groups) == list(source.groups)


def flags(tae, lake, buckets_yaml, output, **more):
    values = {
        "tae": tae,
        "lake": lake,
        "buckets": buckets_yaml,
        "resolution": 32,
        "image_frames": 3,
        "output": output,
        **more,
    }
    return [word for name, value in values.items() for word in (f"--{name}", str(value))]


def test_encoding_again_does_nothing_and_resumes_by_shard(
    encoded, trained_tae, toy_lake, buckets_yaml, tmp_path, capsys
):
    folder = shutil.copytree(encoded, tmp_path / "encode")
    argv = flags(trained_tae / "model", toy_lake, buckets_yaml, folder)
    assert encode(argv) == 0
    assert capsys.readouterr().err == "encode: done, 17 clips\n"
    (folder / "stage.json").unlink()
    lost = folder / "latents" / read_index(folder / "latents").files[0].path
    lost.unlink()
    assert encode(argv) == 0
    assert capsys.readouterr().err.count("shard ") == 1
    for name in ("latents/latents.json", "latents/samples.arrow", "stage.json", "model/model.safetensors"):
        assert (folder / name).read_bytes() == (encoded / name).read_bytes()


def test_an_index_of_the_version_before_is_made_anew_without_encoding(
    encoded, trained_tae, toy_lake, buckets_yaml, tmp_path, capsys
):
    folder = shutil.copytree(encoded, tmp_path / "encode")
    path = folder / "latents/latents.json"
    path.write_text(path.read_text().replace('"format": 3', '"format": 2'))
    with pytest.raises(UsageError, match="run the encode that made it again"):
        read_index(folder / "latents")
    assert encode(flags(trained_tae / "model", toy_lake, buckets_yaml, folder)) == 0
    assert "shard " not in capsys.readouterr().err
    assert path.read_bytes() == (encoded / "latents/latents.json").read_bytes()


def test_another_resolution_is_another_encoding(encoded, trained_tae, toy_lake, buckets_yaml, tmp_path, capsys):
    folder = shutil.copytree(encoded, tmp_path / "encode")
    before = {path.name for path in folder.rglob("*-f16/*.tar")}
    dry = flags(trained_tae / "model", toy_lake, buckets_yaml, folder, resolution=16)
    assert encode([*dry, "--dry_run", "true"]) == 0
    assert re.search(r"to do, 17 clips in 4 shards, [\d.]+ kB of latents\n", capsys.readouterr().err)
    assert encode(dry) == 0
    assert read_index(folder / "latents").resolution == 16
    assert not before & {path.name for path in folder.rglob("*-f16/*.tar")}


def test_damaged_and_missing_latents_are_said(encoded, tmp_path):
    folder = shutil.copytree(encoded, tmp_path / "encode") / "latents"
    index = read_index(folder)
    path = folder / index.files[0].path
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(UsageError, match="sha256 differs"):
        open_reader(folder)[0].read(0)
    (folder / SAMPLES_FILE).write_bytes(b"")
    with pytest.raises(UsageError, match=r"samples\.arrow: its bytes are not those committed"):
        open_reader(folder)
    with pytest.raises(UsageError, match="moviegen train encode"):
        read_index(tmp_path)
