"""Recipes: order, what is passed on, what is skipped, resumed or run again."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from moviegen.contracts.stage import read_stage
from moviegen.errors import UsageError
from moviegen.pipelines.video import VideoPipeline
from training.cli import train
from training.recipe import Recipe, RecipeStage, load_recipe
from training.run import RunConfig, run_stage

NAMES = ("tae", "encode", "t2i", "t2v")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory, tae_stage, dit_stage, buckets_yaml) -> Path:
    """Four stages as in configs/recipes/tiny.yaml, as small as those of the other tests."""
    folder = tmp_path_factory.mktemp("recipe")
    later = yaml.safe_load(dit_stage.read_text())
    for name in ("video_dit", "text"):
        del later["model"]["init_args"][name]
    (folder / "later.yaml").write_text(yaml.safe_dump(later))
    latents = {"model.tae": "encode/model", "data.latents": "encode/latents"}
    stages = [
        {"name": "tae", "fit": str(tae_stage)},
        {"name": "encode", "encode": {"buckets": str(buckets_yaml), "resolution": 32}, "inputs": {"tae": "tae/model"}},
        {"name": "t2i", "fit": str(dit_stage), "inputs": latents},
        {"name": "t2v", "fit": "later.yaml", "inputs": {**latents, "model.init_from": "t2i/model"}},
    ]
    (folder / "recipe.yaml").write_text(yaml.safe_dump({"stages": stages}))
    return folder / "recipe.yaml"


@pytest.fixture(scope="module")
def run(recipe, toy_lake, tmp_path_factory) -> Path:
    """A finished run."""
    folder = tmp_path_factory.mktemp("run")
    assert train(argv(recipe, toy_lake, folder)) == 0
    return folder


def argv(recipe, lake, folder, *more):
    steps = [word for name in ("tae", "t2i", "t2v") for word in (f"--steps.{name}", "2")]
    return ["run", str(recipe), "--lake", str(lake), "--output", str(folder), *steps, *more]


def test_a_run_leaves_one_folder_a_stage_and_a_product(run):
    folders = [f"{number:02d}_{name}" for number, name in enumerate(NAMES, 1)]
    assert sorted(path.name for path in run.iterdir()) == folders
    results = [read_stage(run / folder) for folder in folders]
    assert [(r.kind, r.name, r.step) for r in results] == [
        ("tae", "tae", 2), ("tae", "encode", 0), ("video_dit", "t2i", 2), ("video_dit", "t2v", 2),
    ]  # fmt: skip
    first, last = (VideoPipeline.from_pretrained(run / f"0{n}_{name}/model") for n, name in ((3, "t2i"), (4, "t2v")))
    assert last.defaults == first.defaults
    assert not last.video_dit.patch_out.weight.equal(first.video_dit.patch_out.weight)


def test_a_second_run_does_nothing_and_says_so(run, recipe, toy_lake, capsys):
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}
    assert train(argv(recipe, toy_lake, run)) == 0
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()} == before
    said = capsys.readouterr().err.splitlines()
    assert said[:4] == [
        "01_tae: done, 2 steps",
        "02_encode: done, 17 clips",
        "03_t2i: done, 2 steps",
        "04_t2v: done, 2 steps",
    ]
    assert said[4].startswith("all 4 stages are done; the model: ")


def test_the_stages_can_be_listed_and_run_up_to_one(run, recipe, toy_lake, tmp_path, capsys):
    assert train(argv(recipe, toy_lake, run, "--list")) == 0
    assert [stage["name"] for stage in json.loads(capsys.readouterr().out)] == list(NAMES)
    assert train(argv(recipe, toy_lake, tmp_path / "new", "--until", "encode", "--dry-run")) == 0
    told = capsys.readouterr().err
    assert "02_encode" in told
    assert "t2i" not in told
    with pytest.raises(UsageError, match=r"--until t2vv: the recipe has no such stage; did you mean t2v\?"):
        train(argv(recipe, toy_lake, run, "--until", "t2vv"))


def test_a_stage_that_is_run_leaves_its_lineage(recipe, toy_lake, tmp_path, monkeypatch):
    monkeypatch.setenv("MOVIEGEN_LINEAGE", str(tmp_path / "lineage.jsonl"))
    assert train(argv(recipe, toy_lake, tmp_path / "run", "--until", "tae")) == 0
    events = [json.loads(line) for line in (tmp_path / "lineage.jsonl").read_text().splitlines()]
    assert [(event["job"]["name"], event["eventType"]) for event in events] == [
        ("train.tae", "START"),
        ("train.tae", "COMPLETE"),
    ]
    assert events[1]["inputs"][0]["name"] == f"{toy_lake}/shards"
    assert events[1]["outputs"][0]["name"] == str(tmp_path / "run" / "01_tae")


def test_dry_run_tells_and_does_nothing(run, recipe, toy_lake, tmp_path, capsys):
    assert train(argv(recipe, toy_lake, tmp_path / "new", "--dry-run")) == 0
    first, data, memory, kept, disk, *others = capsys.readouterr().err.splitlines()
    assert re.match(r"  data: \d+ samples; batches of ", data)
    assert re.fullmatch(
        r"  trains [\d,]+ of [\d,]+ numbers; memory of .* state [\d.]+ .B, activations [\d.]+ .B", memory
    )
    assert re.fullmatch(r"  kept in host memory, at most: decoded clips [\d.]+ .B \(cache_bytes x .*\)", kept)
    assert re.match(r"  disk: checkpoints of [\d.]+ .B every 2 steps, 3 at most, and the model: ", disk)
    assert [first, *others] == [
        "01_tae: to do, ends at step 2, 32 tokens a batch",
        "02_encode: to do, after tae",
        "03_t2i: to do, after encode",
        "04_t2v: to do, after encode, t2i",
    ]
    assert not (tmp_path / "new").exists()
    assert train(argv(recipe, toy_lake, run, "--dry-run", "--steps.t2i", "3")) == 0
    said = capsys.readouterr().err.splitlines()
    assert said[2] == "03_t2i: goes on at step 2, ends at step 3, 64 tokens a batch"
    assert said[-1] == "04_t2v: to do, after t2i"


def test_changed_settings_run_a_stage_and_those_after_it_again(run, recipe, toy_lake, tmp_path, capsys):
    folder = shutil.copytree(run, tmp_path / "run")
    before = read_stage(folder / "04_t2v")
    assert train(argv(recipe, toy_lake, folder, "--flags.t2i", "--model.optimizer.lr 2e-3 --progress.every_s 5")) == 0
    said = capsys.readouterr().err
    assert "03_t2i: settings changed (model.optimizer.lr: 0.001 -> 0.002), so it starts anew" in said
    assert "04_t2v: settings changed (model.init_from: " in said
    assert (folder / "03_t2i.old-1/stage.json").exists()
    assert "01_tae: done" in said
    assert read_stage(folder / "04_t2v").model_sha256 != before.model_sha256


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        (("--steps.t2w", "3"), r"did you mean t2v\?"),
        (("--max_time.ta", "00:00:01:00"), r"did you mean tae\?"),
        (("--subset", "nope"), "no shards of subset 'nope', only of toy"),
    ],
)
def test_mistakes_are_named(flag, message, recipe, toy_lake, tmp_path):
    with pytest.raises(UsageError, match=message):
        train(argv(recipe, toy_lake, tmp_path / "run", *flag))


def test_a_stage_may_end_by_time(recipe, toy_lake, tmp_path):
    config = RunConfig(
        str(recipe), str(toy_lake), str(tmp_path), steps={"tae": 100000}, max_time={"tae": "00:00:00:01"}
    )
    loaded = load_recipe(recipe)
    assert run_stage(loaded, loaded.stages[0], config) == (0, True)
    assert 0 < read_stage(tmp_path / "01_tae").step < 100000


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"name": "a", "fit": {}}, {"name": "a", "fit": {}}], "two stages are called a"),
        ([{"name": "a", "fit": {}, "inputs": {"x": "b/model"}}], "takes from 'b', no stage before it"),
        ([{"name": "a"}], "give either fit or encode"),
        ([{"name": "A b", "fit": {}}], "small letters"),
        ([{"nam": "a", "fit": {}}], "nam"),
        ([], "no stage"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(rows, message, tmp_path):
    (tmp_path / "r.yaml").write_text(yaml.safe_dump({"stages": rows}))
    with pytest.raises(UsageError, match=message):
        load_recipe(tmp_path / "r.yaml")


def test_inputs_point_into_the_folders_of_the_stages_before(tmp_path):
    stages = (RecipeStage("a", fit={}), RecipeStage("b", fit={}, inputs={"model.tae": "a/model"}))
    recipe = Recipe(stages)
    assert recipe.inputs(stages[1], tmp_path) == {"model.tae": tmp_path / "01_a/model"}


def test_the_verb_helps(capsys):
    assert train(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in ("fit", "validate", "run", "encode", "export", "examples:"))
    assert train([]) == 2
    with pytest.raises(UsageError, match="did you mean 'fit'"):
        train(["fitt"])
