"""`moviegen train encode`: a subset's TAE latents and text features, computed once; the latents' mean and std go into a copy of the TAE.

For high resolutions the paper precomputes and caches latents [S §3.1.6]. The unit of work and of resume is a shard: its tar appears
whole, under a name that says what it was made from; `latents.json` commits all of them. Ranks take shards in turn and need not know of
each other: whichever ends last commits.
"""

import functools
import multiprocessing
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from filelock import FileLock
from safetensors.torch import save_file

from moviegen.config import parse_config
from moviegen.contracts.clip import file_sha256, hash_id
from moviegen.contracts.lake import atomic_write
from moviegen.contracts.shard import Shard
from moviegen.contracts.stage import STAGE_FILE, read_stage
from moviegen.disk import megabytes
from moviegen.errors import DiskError, MovieGenError
from moviegen.models.tae import TAE
from moviegen.models.text_encoders import load_encoders
from moviegen.weights import load_model, save_model
from training.cli import say
from training.config import expand_flags, weights_sha256
from training.data.caching import (
    Encoders,
    add_sums,
    encode_shard,
    latent_bytes,
    mean_and_std,
    read_record,
    record_path,
    text_bytes,
)
from training.data.encoders import encode_texts, trim
from training.data.latents import NO_TEXT_FILE, LatentFile, LatentIndex, has_index, write_index
from training.data.presence import missing_text, tars_of
from training.data.sources import ShardSource
from training.encode_config import EncodeConfig, encode_sha256, latents_sha256, text_digests
from training.stage import finish_stage


def encode(argv: Sequence[str]) -> int:
    """The verb: encodes what is not encoded yet, then measures and commits."""
    config, _ = parse_config(
        EncodeConfig,
        expand_flags(argv),
        prog="moviegen train encode",
        summary="Cache the TAE latents and text features of a subset, and measure the latents' mean and std into a copy of the TAE.",
        examples=[
            "moviegen train encode --tae runs/tae/model --lake lake/ --buckets configs/buckets/tiny.yaml --output runs/latents"
        ],
    )
    run_encode(config)
    return 0


def _open(config: EncodeConfig) -> ShardSource:
    """The clips, none of them kept once decoded."""
    place = Path(config.lake)
    return ShardSource(place, config.subset, config.buckets, config.resolution, 0, config.allow_missing)


def run_encode(config: EncodeConfig) -> bool:
    """Encodes what is not encoded yet, and says so; whether the stage is done now (with `dry_run`, or while other ranks are not done, it
    may not be)."""
    source = _open(config)
    sha256, folder = encode_sha256(config, source.subset), Path(config.output)
    if missing := missing_text(tars_of(source.subset)):
        say(missing)
    result = read_stage(folder)
    count = len(source.subset.samples)
    if result is not None and result.config_sha256 == sha256 and has_index(folder / "latents"):
        say(f"{folder.name}: done, {count} clips")
        return True
    if config.dry_run:
        need = _size(config, source, open_encoders(config))
        say(f"{folder.name}: to do, {count} clips in {len(source.subset.shards)} shards, {need.text}")
        return False
    if config.rank == 0:
        (folder / STAGE_FILE).unlink(missing_ok=True)
    made = latents_sha256(config)
    _encode_missing(config, source, made)
    with FileLock(folder / ".encode.lock"):
        return _commit(config, source, made, sha256)


@dataclass(frozen=True)
class CacheSize:
    """What a cache takes."""

    latents: int
    """Bytes."""
    texts: int
    """Bytes, estimated from some captions."""

    @property
    def text(self) -> str:
        """In words."""
        texts = f" and {megabytes(self.texts)} of text features" if self.texts else ""
        return f"{megabytes(self.latents)} of latents{texts}"


def _size(config: EncodeConfig, source: ShardSource, encoders: Encoders) -> CacheSize:
    latents = latent_bytes(encoders, config.buckets, config.resolution, source.buckets)
    return CacheSize(latents, text_bytes(encoders, [sample.caption for sample in source.subset.samples]))


def open_encoders(config: EncodeConfig, device: str | None = None) -> Encoders:
    """The TAE and the text encoders."""
    device = device or config.device
    tae = load_model(TAE, Path(config.tae), device).requires_grad_(False)
    texts = tuple(encoder.to(device) for encoder in load_encoders(config.frozen_texts)) if config.frozen_texts else ()
    return Encoders(tae, texts, device, config.image_frames, config.batch_clips, config.precision)


def _latent_path(config: EncodeConfig, shard: Shard, made: str) -> Path:
    """Where a shard's latents lie: the name says what they were made from (`made`: how, `latents_sha256`)."""
    return Path(config.output) / "latents" / shard.bucket / f"{hash_id(made, shard.sha256)}.tar"


def _encode_missing(config: EncodeConfig, source: ShardSource, made: str) -> None:
    """Encodes this rank's shards that are not encoded, in as many processes as asked for."""
    mine = source.subset.shards[config.rank :: config.world_size]
    missing = [shard for shard in mine if read_record(_latent_path(config, shard, made)) is None]
    has_texts = not config.frozen_texts or (Path(config.output) / "latents" / NO_TEXT_FILE).exists()
    if not missing and has_texts:
        return
    Path(config.output).mkdir(parents=True, exist_ok=True)
    encoders = open_encoders(config, "cpu" if config.processes > 1 else None)
    _write_no_text(config, encoders)
    _check_room(config, source, encoders, made)
    if config.processes == 1:
        _encode_shards(config, encoders, source, made, missing)
        return
    context = multiprocessing.get_context("spawn")
    shares = [missing[i :: config.processes] for i in range(config.processes)]
    workers = [context.Process(target=_work, args=(config, made, i, share)) for i, share in enumerate(shares) if share]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if bad := [worker.exitcode for worker in workers if worker.exitcode]:
        raise MovieGenError(
            f"{len(bad)} of {len(workers)} encoding processes failed (exit codes {bad}); the same command goes on"
        )


def _check_room(config: EncodeConfig, source: ShardSource, encoders: Encoders, made: str) -> None:
    """Says how large the cache will be, before anything is encoded. Raises DiskError when it is more than is free."""
    shards = source.subset.shards
    done = {shard.path for shard in shards if read_record(_latent_path(config, shard, made)) is not None}
    need, folder = _size(config, source, encoders), Path(config.output)
    left = sum(ref.shard not in done for ref in source.subset.samples) / max(1, len(source.buckets))
    free = shutil.disk_usage(folder).free
    say(f"{folder.name}: cache of {need.text} for {len(source.buckets)} clips; {megabytes(free)} are free in {folder}")
    if (needed := round(left * (need.latents + need.texts))) > free:
        raise DiskError(
            f"{folder}: what is not encoded yet takes about {megabytes(needed)}, {megabytes(free)} are free; make room, choose another "
            "--output, or --precision bfloat16"
        )


def _work(config: EncodeConfig, made: str, number: int, shards: Sequence[Shard]) -> None:
    """What an encoding process does."""
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // config.processes))
    many = torch.cuda.device_count() if config.device == "cuda" else 0
    encoders = open_encoders(config, f"cuda:{number % many}" if many else config.device)
    source = _open(config)
    _encode_shards(config, encoders, source, made, shards)


def _encode_shards(
    config: EncodeConfig, encoders: Encoders, source: ShardSource, made: str, shards: Sequence[Shard]
) -> None:
    places: dict[str, list[int]] = {shard.path: [] for shard in source.subset.shards}
    for i, ref in enumerate(source.subset.samples):
        places[ref.shard].append(i)
    numbers = {shard.path: number for number, shard in enumerate(source.subset.shards, 1)}
    for shard in shards:
        positions = places[shard.path]
        say(f"shard {numbers[shard.path]}/{len(numbers)}: {len(positions)} clips of {shard.bucket}")
        encode_shard(encoders, source, positions, shard.bucket, _latent_path(config, shard, made))


def _write_no_text(config: EncodeConfig, encoders: Encoders) -> None:
    """Writes the features of the empty text, which guidance needs."""
    if encoders.texts:
        contexts = encode_texts(encoders.texts, [""], encoders.device)
        tensors = {str(i): trim(context)[0].cpu().contiguous() for i, context in enumerate(contexts)}
        with atomic_write(Path(config.output) / "latents" / NO_TEXT_FILE) as temporary:
            save_file(tensors, temporary)


def _commit(config: EncodeConfig, source: ShardSource, made: str, sha256: str) -> bool:
    """Writes index, model and stage.json once every shard is encoded; whether it is so."""
    folder, subset = Path(config.output), source.subset
    records = [read_record(_latent_path(config, shard, made)) for shard in subset.shards]
    whole = [record for record in records if record is not None]
    if len(whole) < len(records):
        say(
            f"{folder.name}: {len(whole)} of {len(records)} shards are encoded; the rank that ends last writes the index"
        )
        return False
    files = tuple(record.file for record in whole)
    texts = text_digests(config)
    no_text = file_sha256(folder / "latents" / NO_TEXT_FILE) if texts else ""
    index = LatentIndex(
        subset.name, subset.digest, weights_sha256(Path(config.tae)), config.resolution, config.image_frames, files, texts, no_text
    )  # fmt: skip
    write_index(folder / "latents", index, [sample for record in whole for sample in record.samples])
    if not subset.missing:  # what was made of a tar that is missing serves again when it is back
        _drop_others(folder / "latents", files)
    sums = functools.reduce(add_sums, (record.sums for record in whole))
    tae = load_model(TAE, Path(config.tae))
    mean, std = mean_and_std(sums)
    tae.latent_mean.copy_(mean)
    tae.latent_std.copy_(std)
    finish_stage(folder, "tae", config.name, 0, sha256, lambda path: save_model(tae, path))
    say(f"{folder.name}: done, {len(source.buckets)} clips")
    return True


def _drop_others(folder: Path, files: Sequence[LatentFile]) -> None:
    """Deletes tars and records that the committed index does not name."""
    named = {folder / file.path for file in files}
    for path in folder.rglob("*.tar"):
        if path not in named:
            record_path(path).unlink(missing_ok=True)
            os.unlink(path)
