"""Batches of cached latents: what stacking and padding the payloads gives, whatever their order; nothing else than was committed."""

import pickle
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from moviegen.contracts.clip import file_sha256
from moviegen.contracts.shard import ShardError
from training.data import index as index_module
from training.data.encoders import pad
from training.data.gather import LatentReader
from training.data.latents import SUFFIXES, LatentFile
from training.data.payload import encode_payload
from training.data.tars import write_tar

COUNT, SHAPE, FRAMES = 9, (4, 2, 3, 5), 3


def tensors(number, dtype, shape=SHAPE, widths=(6, 1)):
    """Payloads of a clip: of its video, of its frames, of its texts."""
    rng = torch.Generator().manual_seed(number)
    moments = {name: torch.randn(shape, generator=rng).to(dtype) for name in ("mean", "std")}
    image = {name: torch.randn(FRAMES, shape[0], 1, *shape[2:], generator=rng).to(dtype) for name in ("mean", "std")}
    lengths = {"video": (number + i for i in range(len(widths))), "image": (2 * i for i in range(len(widths)))}
    text = {
        f"{kind}.{i}": torch.randn(length, width, generator=rng).to(dtype)
        for kind, each in lengths.items()
        for i, (length, width) in enumerate(zip(each, widths, strict=True))
    }
    return {"image": image, "text": text, "video": moments}


def write(folder, rows, per_tar=4):
    """A reader of these samples."""
    keys, files = [f"{number * 7919 % 1009:032x}" for number in range(len(rows))], []
    for begin in range(0, len(rows), per_tar):
        path, numbers = f"{begin}.tar", range(begin, min(len(rows), begin + per_tar))
        members = [
            (keys[n], {SUFFIXES[kind]: encode_payload(each) for kind, each in sorted(rows[n].items())}) for n in numbers
        ]
        write_tar(folder / path, members)
        files.append(LatentFile(path, "1x1-f16", file_sha256(folder / path), FRAMES, len(numbers)))
    return LatentReader(folder, files, keys)


@pytest.fixture(scope="module", params=[torch.float32, torch.bfloat16, torch.float16])
def cache(request, tmp_path_factory):
    """Samples, and a reader of them that is used for one batch after another."""
    rows = [tensors(number, request.param) for number in range(COUNT)]
    return rows, write(tmp_path_factory.mktemp("cache"), rows)


@given(
    numbers=st.lists(st.integers(0, COUNT - 1), min_size=1, max_size=COUNT),
    frames=st.none() | st.lists(st.integers(0, FRAMES - 1), min_size=COUNT, max_size=COUNT),
)
def test_a_batch_is_the_stacked_and_padded_payloads(cache, numbers, frames):
    rows, reader = cache
    frames = frames and frames[: len(numbers)]
    got = reader.read_batch(np.array(numbers), frames)
    kind = "image" if frames else "video"
    for name, tensor in (("mean", got.mean), ("std", got.std)):
        each = [rows[number][kind][name] for number in numbers]
        each = [tensor[frame] for tensor, frame in zip(each, frames, strict=True)] if frames else each
        assert torch.equal(tensor, torch.stack(each).float())
        assert tensor.is_contiguous()
    assert len(got.texts) == 2
    for i, context in enumerate(got.texts):
        wanted = pad([rows[number]["text"][f"{kind}.{i}"] for number in numbers])
        assert torch.equal(context.features, wanted.features)
        assert torch.equal(context.mask, wanted.mask)


def test_a_batch_stays_what_it_was_when_the_next_is_read(cache):
    rows, reader = cache
    first = reader.read_batch(np.array([0, 8]))
    pickle.loads(pickle.dumps(reader)).read_batch(np.array([1, 2]))
    reader.read_batch(np.arange(COUNT))
    assert torch.equal(first.mean, torch.stack([rows[0]["video"]["mean"], rows[8]["video"]["mean"]]).float())


def test_latents_without_texts_and_images_without_videos_are_read(tmp_path):
    rows = [{"image": tensors(number, torch.float32)["image"]} for number in range(3)]
    reader = write(tmp_path, rows)
    got = reader.read_batch(np.array([2, 0]), [0, 1])
    assert torch.equal(got.mean, torch.stack([rows[2]["image"]["mean"][0], rows[0]["image"]["mean"][1]]))
    assert got.texts == []
    with pytest.raises(ShardError, match=r"has no video\.safetensors"):
        reader.read_batch(np.array([0]))


@pytest.mark.parametrize("kind", ["video", "text"])
def test_a_byte_changed_while_a_tar_is_in_use_is_found(tmp_path, kind, monkeypatch):
    monkeypatch.setenv("MOVIEGEN_CACHE", str(tmp_path / "cache"))
    rows = [tensors(number, torch.float32) for number in range(4)]
    reader = write(tmp_path, rows)
    reader.read_batch(np.array([3]))
    content = bytearray((tmp_path / "0.tar").read_bytes())
    part = encode_payload(rows[3][kind])
    content[content.index(part) + len(part) - 1] ^= 1
    with open(tmp_path / "0.tar", "r+b") as file:
        file.write(content)
    with pytest.raises(ShardError, match=r"0\.tar: 0+[0-9a-f]+: its .* not those committed \(CRC differs\)"):
        reader.read_batch(np.array([0, 3]))


def test_a_tar_that_is_replaced_while_it_is_in_use_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setenv("MOVIEGEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(index_module, "SETTLED_S", -1.0)
    rows = [tensors(number, torch.float32) for number in range(4)]
    reader = write(tmp_path, rows)
    reader.read_batch(np.array([0]))
    shutil.copy(tmp_path / "0.tar", tmp_path / "new")
    (tmp_path / "new").write_bytes(bytes((tmp_path / "0.tar").stat().st_size))
    (tmp_path / "new").replace(tmp_path / "0.tar")
    assert torch.equal(reader.read_batch(np.array([1])).mean[0], rows[1]["video"]["mean"])
    copy = pickle.loads(pickle.dumps(reader))
    with pytest.raises(ShardError, match="was replaced while it was in use"):
        copy.read_batch(np.array([1]))


@pytest.mark.parametrize("odd", [{"shape": (4, 2, 3, 4)}, {"dtype": torch.float16}, {"widths": (5, 1)}, {"widths": ()}])
def test_samples_that_do_not_go_together_are_named(tmp_path, odd):
    rows = [tensors(0, torch.float32), tensors(1, **{"dtype": torch.float32, **odd})]
    with pytest.raises(ShardError, match="of one batch do not go together"):
        write(tmp_path, rows).read_batch(np.arange(2))


def test_other_keys_than_listed_are_refused(tmp_path):
    reader = write(tmp_path, [tensors(number, torch.float32) for number in range(4)])
    files = [replace(file, num_samples=4) for file in reader._files.values()]
    with pytest.raises(ShardError, match="not the 4 that were expected"):
        LatentReader(tmp_path, files, [f"{i:032x}" for i in range(4)]).read_batch(np.array([0]))
