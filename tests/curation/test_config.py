from pathlib import Path

import pytest

from curation.config import CurateConfig, FilterConfig, LimitConfig, ScoreConfig, ShardConfig, find_files
from curation.detectors import DETECTORS
from curation.filters import load_rules
from moviegen.config import load_config
from moviegen.contracts.bucket import BucketSet
from moviegen.errors import UsageError

CONFIGS = ("demo", "explore", "paper")


def load(repo_root, name):
    from moviegen.config import parse_config

    path = repo_root / "configs" / "curation" / f"{name}.yaml"
    config, _ = parse_config(
        CurateConfig, ["--config", str(path), "--lake", "lake"], prog=name, summary="", examples=()
    )
    return config, path


@pytest.mark.parametrize("name", CONFIGS)
def test_each_config_finds_its_rules_and_buckets_from_anywhere(name, repo_root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = find_files(*load(repo_root, name))
    load_config(BucketSet, config.shard.bucket_set)
    rules = load_rules(config.filter.rules)
    detectors = set(config.score.detectors)
    assert detectors <= set(DETECTORS)
    asked = {rule.metric.partition(".")[0] for rule in rules if rule.if_missing == "error"}
    assert asked <= detectors, "a rule that insists on a score has its detector"


def test_the_order_of_captioners_is_the_yamls(repo_root):
    config, _ = load(repo_root, "demo")
    assert list(config.caption.captioners) == ["source", "template"]


def test_a_relative_path_is_looked_for_from_here_first(repo_root, tmp_path, monkeypatch):
    (tmp_path / "filter").mkdir()
    (tmp_path / "filter" / "demo.yaml").write_text("rules: []\n")
    monkeypatch.chdir(tmp_path)
    config = find_files(*load(repo_root, "demo"))
    assert config.filter.rules == tmp_path / "filter" / "demo.yaml"


def test_a_missing_file_says_where_it_was_looked_for():
    with pytest.raises(
        UsageError, match=r"filter.rules: no file filter/papper.yaml \(looked from .*--filter.rules FILE"
    ):
        find_files(CurateConfig(lake=Path("lake"), filter=FilterConfig(Path("filter/papper.yaml"))), None)


def test_the_defaults_are_found_from_any_folder(repo_root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("subset: mine\n")
    config = find_files(CurateConfig(lake=Path("lake")), tmp_path / "mine.yaml")
    assert config.filter.rules.resolve() == repo_root / "configs/curation/filter/paper.yaml"
    assert config.shard.bucket_set.resolve() == repo_root / "configs/buckets/paper.yaml"


def test_each_config_file_means_its_own_neighbours(tmp_path, monkeypatch):
    """Two files in two folders: what the first says lies beside the first, though the second is given last."""
    monkeypatch.chdir(tmp_path)
    for folder in ("rules", "more"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.yaml").write_text("rules: []\n")
    (tmp_path / "rules" / "config.yaml").write_text("filter: {rules: mine.yaml}\n")
    (tmp_path / "more" / "config.yaml").write_text("shard: {max_samples: 3}\n")
    files = [tmp_path / "rules" / "config.yaml", tmp_path / "more" / "config.yaml"]
    config = CurateConfig(lake=Path("lake"), filter=FilterConfig(Path("mine.yaml")))
    assert find_files(config, files).filter.rules == tmp_path / "rules" / "mine.yaml"
    assert find_files(config, files[1]).filter.rules == tmp_path / "more" / "mine.yaml"


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: ScoreConfig(explore_fraction=2), "explore_fraction"),
        (lambda: LimitConfig(max_failed_fraction=-1), "max_failed_fraction"),
        (lambda: ShardConfig(max_samples=0), "max_samples"),
        (lambda: CurateConfig(lake=Path("l"), subset="../up"), "subset"),
    ],
)
def test_what_cannot_be_is_refused(make, word):
    with pytest.raises(ValueError, match=word):
        make()
