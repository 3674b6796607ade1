"""Committed tars that are not there: refused by name before anything is read, or gone on without, told and recorded."""

import json
import shutil

import pytest

from moviegen.contracts.shard import ShardError
from moviegen.errors import UsageError
from moviegen.testing.lake import TOY_BUCKETS
from moviegen.testing.toy_sets import write_toy_edits, write_toy_personal
from training.contents import data_contents, describe_change
from training.data.buckets import BatchMix
from training.data.datamodule import LatentDataModule, ShardDataModule
from training.data.edits import EditDataModule, EditPart
from training.data.held_out import Validation
from training.data.people import PersonalDataModule, PersonalPart
from training.data.presence import MISSING, missing_text
from training.data.shards import read_subset
from training.data.sound import SoundDataModule, SoundPart
from training.data.windows import Window, WindowDataModule
from training.fit import fit


@pytest.fixture
def lake(toy_lake, tmp_path):
    """A copy that may be damaged, and the path of its first tar."""
    return shutil.copytree(toy_lake, tmp_path / "lake")


def lose(root, shard) -> str:
    (root / shard.path).unlink()
    return shard.path


def test_missing_shards_are_refused_by_name_with_what_to_do(lake):
    shards = read_subset(lake).shards
    lost = [lose(lake, shard) for shard in shards[:2]]
    with pytest.raises(ShardError) as error:
        read_subset(lake)
    lines = str(error.value).splitlines()
    for path, line in zip(lost, lines[:2], strict=True):
        assert line.startswith(f"{lake / path}: committed shard is missing; write it again")
    assert lines[2:] == ["to go on without what is missing, add --data.allow_missing true"]


def test_gone_on_without_the_rest_is_what_it_was(lake):
    whole = read_subset(lake)
    assert read_subset(lake, allow_missing=True) == whole, "where nothing is missing, nothing changes"
    lost = lose(lake, whole.shards[0])
    rest = read_subset(lake, allow_missing=True)
    assert rest.missing == (lost,)
    assert rest.shards == whole.shards[1:]
    assert rest.samples == tuple(sample for sample in whole.samples if sample.shard != lost)
    assert rest.digest != whole.digest


def test_a_tar_of_another_size_is_refused_all_the_same(lake):
    one, two = read_subset(lake).shards[:2]
    lose(lake, one)
    path = lake / two.path
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-512])
    with pytest.raises(ShardError, match=r"bytes, committed were \d+") as error:
        read_subset(lake, allow_missing=True)
    assert "is missing" not in str(error.value)


def test_nothing_left_is_refused_all_the_same(lake):
    for shard in read_subset(lake).shards:
        lose(lake, shard)
    with pytest.raises(ShardError, match="committed shard is missing") as error:
        read_subset(lake, allow_missing=True)
    assert "allow_missing" not in str(error.value)


def test_a_stage_goes_on_without_says_so_and_records_it(tae_stage, lake, tmp_path, capsys):
    whole = read_subset(lake)
    flags = [
        "--config",
        str(tae_stage),
        "--data.lake",
        str(lake),
        "--output",
        str(tmp_path / "run"),
        "--trainer.max_steps",
        "2",
    ]
    assert fit(flags) == 0
    first = json.loads((tmp_path / "run/identity.json").read_text())
    assert "allow_missing" not in first["data"], "allowing what does not happen is no other stage"
    lost = lose(lake, whole.shards[0])
    with pytest.raises(ShardError, match="committed shard is missing"):
        fit(flags)
    allowed = [*flags, "--data.allow_missing", "true"]
    with pytest.raises(UsageError, match=rf"(?s)data: 1 file missing now: {lost}.*--allow_changed true"):
        fit(allowed)
    capsys.readouterr()
    assert fit([*allowed, "--output", str(tmp_path / "without")]) == 0
    assert f"data: going on without 1 of {len(whole.shards)} files that are missing: {lost}" in capsys.readouterr().err
    contents = json.loads((tmp_path / "without/data.json").read_text())
    assert contents == {shard.path: shard.sha256 for shard in whole.shards} | {lost: MISSING}
    assert json.loads((tmp_path / "without/identity.json").read_text())["data"]["digest"] != first["data"]["digest"]


def test_what_comes_back_is_named():
    assert describe_change({"a": MISSING, "b": "1"}, {"a": "2", "b": "1"})[0] == "data: 1 file no longer missing: a"
    assert missing_text({"a": "1"}) == ""


def test_latents_that_are_missing(encoded, tmp_path):
    folder = shutil.copytree(encoded / "latents", tmp_path / "latents")
    values = {"latents": str(folder)}
    options = {"mix": BatchMix(1, 1), "validation": Validation(0.2)}

    def opened(**more):
        data = LatentDataModule(str(folder), TOY_BUCKETS, 32, **options, **more)
        data.setup("fit")
        return data

    whole = opened()
    digest = LatentDataModule.digest_of(values)
    lost = whole.source.index.files[0].path
    (folder / lost).unlink()
    with pytest.raises(
        UsageError, match=rf"1 of \d+ files of latents are missing: {lost}; run encode again, or to go on without"
    ):
        opened()
    rest, values = opened(allow_missing=True), {**values, "allow_missing": True}
    assert rest.source.index.files == whole.source.index.files[1:]
    assert LatentDataModule.digest_of(values) != digest
    assert data_contents(LatentDataModule, values)[lost] == MISSING


def test_every_data_module_of_a_lake_takes_it(lake):
    """Sound and windows of the shards, people and edits of the sets."""
    small = {"fps": 4, "width": 64, "height": 64, "duration": 4.5}
    write_toy_personal(lake, 2, 1, **small)
    write_toy_edits(lake, 3, 1, **small)
    write_toy_edits(lake, 4, 1, subset="more", **small)
    lost = lose(lake, read_subset(lake).shards[0])
    place, allowed = str(lake), {"validation": Validation(0.0), "allow_missing": True}
    window = WindowDataModule(place, TOY_BUCKETS, 32, 10**6, Window(4, 4.0), **allowed)
    window.setup("fit")
    assert lost not in {sample.shard for sample in window.source.subset.samples}
    parts = {"sound": {"samples_per_batch": 1, "seconds": 1.0}}
    sound = SoundDataModule(place, {"sound": SoundPart(1, 1.0)}, **allowed)
    sound.setup("fit")
    assert sound.sources["sound"].subset.missing == (lost,)
    assert data_contents(SoundDataModule, {"lake": place, "parts": parts, "allow_missing": True})[lost] == MISSING
    with pytest.raises(ShardError, match="allow_missing"):
        data_contents(SoundDataModule, {"lake": place, "parts": parts})
    with pytest.raises(ShardError, match="allow_missing"):
        ShardDataModule(place, TOY_BUCKETS, 32, 64).setup("fit")

    people = {"samples_per_batch": 1, "pairing": ["paired"]}
    arguments = {"lake": place, "parts": {"people": people}}
    digest = PersonalDataModule.digest_of(arguments)
    (lake / next(iter(data_contents(PersonalDataModule, arguments)))).unlink()
    with pytest.raises(ShardError, match="committed shard is missing"):
        PersonalDataModule.digest_of(arguments)
    with pytest.raises(ShardError, match="committed shard is missing"):  # the only one
        PersonalDataModule(place, TOY_BUCKETS, 32, {"people": PersonalPart(1)}, **allowed).setup("fit")
    assert digest
    part = EditPart(1, ("animate",), subset="more")
    edits = EditDataModule(place, TOY_BUCKETS, 32, {"edits": part, "t2v": EditPart(1, t2v=True)}, **allowed)
    edits.setup("fit")
    assert edits.sources["t2v"].subset.missing == (lost,)
