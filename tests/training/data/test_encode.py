"""Encoding ahead: with texts, by several ranks and processes, of images; equal to what the step would have encoded."""

import json
import shutil

import pytest
import torch

from moviegen.models.text import ByteTextEncoder, ByteTextEncoderConfig
from moviegen.models.text_encoders import EncoderSource, TextEncodersConfig
from moviegen.testing.lake import TOY_BUCKETS
from moviegen.weights import save_model
from training.data.buckets import BatchMix
from training.data.datamodule import LatentDataModule
from training.data.encoders import drop_texts, encode_pixels, encode_texts, pad, prompt_of, trim
from training.data.held_out import Validation
from training.data.latents import NO_TEXT_FILE, read_index
from training.data.sources import LatentSource, ShardSource
from training.encode import EncodeConfig, encode, run_encode


@pytest.fixture(scope="module")
def text_folders(tmp_path_factory):
    """Two frozen text encoders of different widths and roles."""
    torch.manual_seed(3)
    folders = []
    for name, dim, role in (("prompt", 16, "prompt"), ("quoted", 8, "quoted")):
        folder = tmp_path_factory.mktemp("text") / name
        save_model(ByteTextEncoder(ByteTextEncoderConfig(dim, 1, 2, 32, max_length=40, role=role)), folder)
        folders.append(folder)
    return folders


@pytest.fixture(scope="module")
def flags(trained_tae, toy_lake, buckets_yaml, text_folders, tmp_path_factory):
    """Arguments of an encoding with texts, as a YAML file."""
    return {
        "tae": str(trained_tae / "model"), "lake": str(toy_lake), "buckets": str(buckets_yaml), "resolution": 32,
        "image_frames": 2, "frozen_texts": {"encoders": [text_row(folder) for folder in text_folders]},
    }  # fmt: skip


def text_row(folder):
    """What YAML says of one of them."""
    width = {"prompt": 16, "quoted": 8}[folder.name]
    return {"library": "moviegen", "source": str(folder), "width": width, "max_length": 40, "role": folder.name}


def config_of(flags, output, **more):
    texts = TextEncodersConfig(tuple(EncoderSource(**row) for row in flags["frozen_texts"]["encoders"]))
    return EncodeConfig(**{**flags, "buckets": TOY_BUCKETS, "frozen_texts": texts, "output": str(output), **more})


@pytest.fixture(scope="module")
def cached(flags, tmp_path_factory):
    """Folder of a finished encoding with texts."""
    folder = tmp_path_factory.mktemp("runs") / "texts"
    assert run_encode(config_of(flags, folder))
    return folder


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    }


def test_ahead_is_what_the_step_would_encode(cached, toy_lake, trained_tae, text_folders):
    from moviegen.models.tae import TAE

    source = LatentSource(cached / "latents")
    shards = ShardSource(toy_lake, "toy", TOY_BUCKETS, 32, cache_bytes=0)
    tae = TAE.from_pretrained(trained_tae / "model")
    encoders = [ByteTextEncoder.from_pretrained(folder) for folder in text_folders]
    data = LatentDataModule(str(cached / "latents"), TOY_BUCKETS, 32, BatchMix(1, 1), Validation(0.2))
    data.setup("fit")
    places = {ref.key: i for i, ref in enumerate(shards.subset.samples)}
    iterator = iter(data.train_dataloader())
    for _ in range(4):
        batch = next(iterator)
        prompts = [prompt_of(caption, fps) for caption, fps in zip(batch.captions, batch.fps, strict=True)]
        assert all(prompt.startswith("FPS-") != batch.is_image for prompt in prompts)
        for wanted, features, mask in zip(
            encode_texts(encoders, prompts, "cpu"), batch.text_features, batch.text_masks, strict=True
        ):
            assert torch.equal(wanted.mask, mask)
            torch.testing.assert_close(features[mask], wanted.features[wanted.mask])
            assert not features[~mask].any()
        if not batch.is_image:
            frames = [shards.read_clip(places[key]).frames for key in batch.keys]
            from training.data.decode import to_tensor

            posterior = encode_pixels(tae, torch.stack([to_tensor(f) for f in frames]))
            torch.testing.assert_close(batch.latent_mean, posterior.mean, rtol=1e-4, atol=1e-4)
    assert [len(text.shape) for text in batch.no_text] == [2, 2]
    assert source.index.text_sha256
    assert len(source.index.text_sha256) == 2


def test_dropped_texts_become_the_empty_text(text_folders):
    encoders = [ByteTextEncoder.from_pretrained(folder) for folder in text_folders]
    prompts, dropped = ["a ball", 'a sign says "no"', "x"], [False, True, False]
    with torch.no_grad():
        contexts = encode_texts(encoders, prompts, "cpu")
        empty = [trim(context)[0] for context in encode_texts(encoders, [""], "cpu")]
        wanted = encode_texts(encoders, ["a ball", "", "x"], "cpu")
    for got, context in zip(drop_texts(contexts, empty, dropped), wanted, strict=True):
        assert torch.equal(got.mask, context.mask)
        torch.testing.assert_close(got.features[got.mask], context.features[context.mask])


def test_trimming_loses_nothing():
    texts = [torch.randn(length, 4) for length in (3, 1, 7)]
    assert all(torch.equal(one, two) for one, two in zip(trim(pad(texts)), texts, strict=True))


def test_ranks_in_any_order_write_what_one_writes(cached, flags, tmp_path, capsys):
    for rank in (2, 0):
        assert not run_encode(config_of(flags, tmp_path / "texts", rank=rank, world_size=3))
    assert "of 4 shards are encoded; the rank that ends last writes the index" in capsys.readouterr().err
    assert run_encode(config_of(flags, tmp_path / "texts", rank=1, world_size=3))
    assert contents(tmp_path / "texts") == contents(cached)


def test_features_of_no_text_that_were_lost_are_made_again_alone(cached, flags, tmp_path, monkeypatch):
    folder = tmp_path / "texts"
    shutil.copytree(cached, folder)
    (folder / "latents" / NO_TEXT_FILE).unlink()
    (folder / "stage.json").unlink()
    monkeypatch.setattr("training.encode.encode_shard", lambda *_: pytest.fail("a shard is encoded again"))
    assert run_encode(config_of(flags, folder))
    assert contents(folder) == contents(cached)


def test_a_tar_that_goes_and_comes_back_is_not_encoded_again(cached, toy_lake, flags, tmp_path, monkeypatch):
    lake, folder = tmp_path / "lake", tmp_path / "texts"
    shutil.copytree(toy_lake, lake)
    shutil.copytree(cached, folder)
    (lost,) = sorted((lake / "shards").rglob("*.tar"))[:1]
    lost.rename(tmp_path / "lost.tar")
    monkeypatch.setattr("training.encode.encode_shard", lambda *_: pytest.fail("a shard is encoded again"))
    whole = len(read_index(folder / "latents").files)
    assert run_encode(config_of(flags, folder, lake=str(lake), allow_missing=True))
    assert len(read_index(folder / "latents").files) == whole - 1
    (tmp_path / "lost.tar").rename(lost)
    assert run_encode(config_of(flags, folder, lake=str(lake)))
    assert contents(folder) == contents(cached)


def test_two_processes_write_what_one_writes(cached, flags, tmp_path, capfd):
    assert run_encode(config_of(flags, tmp_path / "texts", processes=2))
    assert contents(tmp_path / "texts") == contents(cached)
    assert "of latents and " in capfd.readouterr().err


def test_the_size_said_before_is_the_size_after(cached, flags, tmp_path, capsys):
    assert not run_encode(config_of(flags, tmp_path / "dry", dry_run=True))
    said = capsys.readouterr().err
    latents, texts = (
        float(words.split(" kB")[0].split()[-1]) for words in said.split(" of ")[:1] + said.split(" and ")[1:2]
    )
    members = [path.stat().st_size for path in (cached / "latents").rglob("*.tar")]
    assert latents + texts == pytest.approx(sum(members) / 1e3, rel=0.2)
    index = read_index(cached / "latents")
    assert (cached / "latents" / NO_TEXT_FILE).is_file()
    assert json.loads((cached / "stage.json").read_text())["step"] == 0
    assert sum(file.num_samples for file in index.files) == 17


def test_text_encoders_are_named_on_the_command_line_or_in_yaml(flags, tmp_path, capsys):
    words = [f"--{name}={value}" for name, value in flags.items() if name != "frozen_texts"]
    files = f"--frozen_texts={json.dumps(flags['frozen_texts'])}"
    assert encode([*words, files, f"--output={tmp_path / 'one'}", "--dry_run=true"]) == 0
    (tmp_path / "encode.yaml").write_text(json.dumps({"frozen_texts": flags["frozen_texts"]}))
    assert (
        encode([*words, f"--config={tmp_path / 'encode.yaml'}", f"--output={tmp_path / 'one'}", "--dry_run=true"]) == 0
    )
    one, two = capsys.readouterr().err.splitlines()
    assert one == two
    assert "of text features" in one


def test_half_precision_halves_the_cache(flags, cached, tmp_path):
    assert run_encode(config_of(flags, tmp_path / "half", precision="bfloat16", frozen_texts=None))
    whole, half = LatentSource(cached / "latents"), LatentSource(tmp_path / "half/latents")
    assert half.buckets == whole.buckets
    one, two = whole._reader.read(0), half._reader.read(0)
    torch.testing.assert_close(one[0], two[0], rtol=1e-2, atol=1e-2)


def test_no_room_is_said_before_anything_is_encoded(flags, tmp_path, monkeypatch):
    import shutil
    from collections import namedtuple

    from moviegen.errors import DiskError

    monkeypatch.setattr(shutil, "disk_usage", lambda path: namedtuple("Usage", "free")(1000))
    with pytest.raises(DiskError, match=r"what is not encoded yet takes about .*1.0 kB are free"):
        run_encode(config_of(flags, tmp_path / "texts"))
    assert not list(tmp_path.rglob("*.tar"))
