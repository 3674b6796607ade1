"""Shards that were damaged or forged: found before a wrong sample is used, by the training reader and by `curate check`."""

import shutil

import numpy as np
import pytest

from curation.check import shard_problems
from moviegen.contracts.lake import Lake
from moviegen.contracts.shard import ShardError
from moviegen.testing.lake import write_toy_lake
from moviegen.testing.tamper import DAMAGES, FORGERIES, HARMLESS, forge
from training.data.shards import ShardReader, read_subset


@pytest.fixture(scope="module")
def small_lake(tmp_path_factory):
    """Six samples in three tars."""
    root = tmp_path_factory.mktemp("small") / "lake"
    write_toy_lake(root, 3, 6, max_samples=2, width=32, height=32, fps=4, duration=2.0)
    return root


@pytest.fixture
def lake(small_lake, tmp_path):
    return shutil.copytree(small_lake, tmp_path / "lake")


def read_all(root):
    subset = read_subset(root, "toy")
    reader = ShardReader(subset)
    return {ref.key: reader.read(ref) for ref in subset.samples}


def tars(root):
    return sorted(root.glob("shards/*/*/*.tar"))


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_is_found_by_both(lake, kind):
    DAMAGES[kind](tars(lake), np.random.default_rng([5, *kind.encode()]))
    with pytest.raises(ShardError, match="tar"):
        read_all(lake)
    assert list(shard_problems(Lake(lake)))


@pytest.mark.parametrize("kind", FORGERIES)
def test_a_forged_tar_is_found_by_both_and_executes_nothing(lake, kind, monkeypatch):
    monkeypatch.chdir(lake)
    forge(lake, "toy", read_subset(lake, "toy").shards[0].path, FORGERIES[kind])
    with pytest.raises(ShardError, match="tar"):
        read_all(lake)
    [problem] = shard_problems(Lake(lake))
    assert problem.check == "shards"
    assert "000000.tar" in problem.what
    assert not list(lake.rglob("escaped"))


@pytest.mark.parametrize("kind", HARMLESS)
def test_what_no_commit_names_changes_nothing(lake, small_lake, kind):
    HARMLESS[kind](tars(lake), np.random.default_rng(0))
    assert read_all(lake) == read_all(small_lake)
    assert list(shard_problems(Lake(lake))) == []


def test_every_missing_tar_is_named_before_one_is_read(lake):
    for path in tars(lake)[:2]:
        path.unlink()
    with pytest.raises(ShardError, match=r"(?s)000000\.tar: committed shard is missing.*000001\.tar: committed"):
        read_subset(lake)


def test_a_tar_that_is_replaced_while_it_is_in_use_is_refused(lake):
    subset = read_subset(lake)
    reader = ShardReader(subset)
    ref = subset.samples[0]
    reader.read(ref)
    path = lake / ref.shard
    shutil.copy(path, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)
    with pytest.raises(ShardError, match="was replaced while it was in use"):
        reader.read(ref)
