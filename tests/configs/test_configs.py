"""Every YAML under configs/ loads as what its folder says it is, and refers to files that exist."""

from collections import Counter
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2] / "configs"
FILES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.yaml"))


def of(*folders: str) -> list[Path]:
    return [path for path in FILES if path.parts[: len(folders)] == folders]


@pytest.mark.parametrize("path", of("models"), ids=str)
def test_model_sizes(path):
    from moviegen.config import load_config
    from moviegen.models.catalog import KINDS
    from moviegen.models.text_encoders import TextEncodersConfig, names_encoders

    config_class = TextEncodersConfig if names_encoders(ROOT / path) else KINDS[path.parts[1]].config
    config = load_config(config_class, ROOT / path)
    assert set(yaml.safe_load((ROOT / path).read_text())) <= set(vars(config))


@pytest.mark.parametrize("path", of("buckets"), ids=str)
def test_buckets(path):
    from moviegen.config import load_config
    from moviegen.contracts.bucket import PAPER_ASPECTS, BucketSet

    buckets = load_config(BucketSet, ROOT / path)
    assert buckets.aspects == PAPER_ASPECTS


@pytest.mark.parametrize("path", of("prompts"), ids=str)
def test_prompts(path):
    from moviegen.evaluation.prompt_sets import read_prompts

    assert all(prompt.tags and prompt.motion_level for prompt in read_prompts(ROOT / path).prompts)


@pytest.mark.parametrize("path", of("training"), ids=str)
def test_stages(path):
    """The parser of `moviegen train fit` takes them, tiny sizes laid over their stage; what a run gives them is put in place of paths."""
    from moviegen.contracts.stage import KINDS, parse_stage_folder
    from training.config import load_yaml
    from training.recipe import overridden

    stem = path.stem.removesuffix(".tiny")
    number, name = parse_stage_folder(stem)
    assert number > 0
    stage = load_yaml(ROOT / path.with_name(f"{stem}.yaml"))
    if path.stem != stem:
        stage = overridden(stage, load_yaml(ROOT / path))
    assert name in stage["name"]
    assert path.parts[1] in KINDS
    check_stage(stage)


def check_stage(stage: dict) -> None:
    """The parser of `moviegen train fit` takes a stage's settings; what a run gives them is put in place of paths."""
    from jsonargparse import ArgumentParser
    from lightning.pytorch import LightningDataModule

    from training.fit import CALLBACKS
    from training.modules.stage import StageModule

    for part in ("model", "data"):
        settings = stage[part]["init_args"]
        for missing in REQUIRED.get(stage[part]["class_path"].rpartition(".")[2], ()):
            settings.setdefault(missing, "somewhere")
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(StageModule, "model")
    parser.add_subclass_arguments(LightningDataModule, "data")
    parser.parse_object({"model": stage["model"], "data": stage["data"]})
    assert set(stage) <= {"name", "seed_everything", "model", "data", "trainer", *CALLBACKS}
    for name in set(stage) & set(CALLBACKS):
        CALLBACKS[name](**stage[name])


REQUIRED = {
    "VideoDiTModule": ("tae",), "UpsamplerModule": ("tae",), "PersonalizeModule": ("tae", "init_from"),
    "EditModule": ("tae", "init_from"), "ShardDataModule": ("lake",), "WindowDataModule": ("lake",),
    "LatentDataModule": ("latents",), "SoundDataModule": ("lake",), "PersonalDataModule": ("lake",),
    "EditDataModule": ("lake",),
}  # fmt: skip
"""What a stage's file leaves to its run."""


@pytest.mark.parametrize("path", of("recipes"), ids=str)
def test_recipes(path):
    from training.recipe import load_recipe

    recipe = load_recipe(ROOT / path)
    for stage in recipe.stages:
        if stage.fit is not None:
            assert stage.fit["name"] == stage.name


@pytest.mark.parametrize("path", of("recipes", "world"), ids=str)
def test_each_model_of_a_world_recipe_is_taken_and_is_bound_to_45_minutes(path):
    from training.recipe import load_recipe

    seconds = Counter()
    for stage in load_recipe(ROOT / path).stages:
        if stage.fit is not None:
            check_stage(stage.fit)
            _, hours, minutes, rest = map(int, stage.fit["trainer"]["max_time"].split(":"))
            seconds[stage.fit["model"]["class_path"]] += hours * 3600 + minutes * 60 + rest
    assert 0 < max(seconds.values()) <= 45 * 60


def test_a_tiny_recipe_is_the_full_ones_stages():
    from training.recipe import load_recipe

    pairs = [path for path in of("recipes") if path.stem.endswith("_tiny")]
    assert len(pairs) == 5
    for path in pairs:
        tiny, full = (
            load_recipe(ROOT / "recipes" / f"{stem}.yaml") for stem in (path.stem, path.stem[: -len("_tiny")])
        )
        assert [(stage.name, stage.verb) for stage in tiny.stages] == [
            (stage.name, stage.verb) for stage in full.stages
        ]


def stage(kind: str, name: str) -> dict:
    """A stage's YAML as a run would get it."""
    from training.config import load_yaml

    return load_yaml(ROOT / f"training/{kind}/{name}.yaml")


TABLE_3 = {
    # per GPU, GPUs, tensor, context; tokens of a sample, lr, iterations
    "01_t2i_256px": ((6, 1536, 1, 1), 256, 1e-4, 210_000),
    "02_t2v_256px": ((2, 3072, 4, 1), 8192, 6e-5, 113_000),  # printed: 123k, and its own totals say 113k
    "03_t2v_256px_wide": ((2, 6144, 4, 1), 8192, 6e-5, 72_000),
    "04_t2v_768px": ((1, 6144, 4, 1), 73_728, 6e-5, 19_600 + 11_000),  # two rows: the lr halves on a plateau
    "05_t2v_768px_half": ((1, 6144, 4, 2), 73_728, 2e-5, 15_900),
    "06_t2v_768px_last": ((1, 4096, 4, 2), 73_728, 1e-5, 28_000),
}


@pytest.mark.parametrize("name", TABLE_3)
def test_a_stage_has_the_batch_lr_and_steps_of_its_row_s_table_3(name):
    from training.plan.mesh import global_batch

    row, tokens, lr, steps = TABLE_3[name]
    values = stage("video_dit", name)
    data = values["data"]["init_args"]
    assert data["tokens_per_batch"] == global_batch(*row) * tokens
    assert values["model"]["init_args"]["optimizer"]["lr"] == lr
    assert values["trainer"]["max_steps"] == steps
    assert data["mix"] == ({"image": 1, "video": 0} if "t2i" in name else {"image": 1, "video": 10})


@pytest.mark.parametrize(("name", "steps"), [("01_identity", 18_000), ("02_long", 8_000), ("03_natural", 4_000)])
def test_personalisation_has_the_batch_lr_and_steps_of_figure_21_s_4_3_1(name, steps):
    values = stage("personalize", name)
    assert (values["trainer"]["max_steps"], values["model"]["init_args"]["optimizer"]["lr"]) == (steps, 2e-5)
    assert {part["samples_per_batch"] for part in values["data"]["init_args"]["parts"].values()} == {512}


@pytest.mark.parametrize("name", ["01_pretrain", "02_finetune"])
def test_the_audio_stages_drop_and_mask_what_the_paper_does_s_6_1_6(name):
    masks = stage("audio_dit", name)["model"]["init_args"]["masks"]
    assert (masks["drop_all"], masks["hide_audio"], masks["span"]) == (0.2, 0.5, [0.75, 1.0])
    assert (masks["drop_text"], masks["drop_video"]) == (0.1, 0.1)


@pytest.mark.parametrize("path", of("curation"), ids=str)
def test_curation(path):
    from curation.config import CurateConfig, find_files
    from curation.filters import load_rules
    from curation.jobs.run import JOBS, check_tools
    from moviegen.config import parse_config

    if path.parts[1] == "filter":
        names = [rule.name for rule in load_rules(ROOT / path)]
        assert len(set(names)) == len(names)
        assert bool(names) == (path.name != "explore.yaml")
        return
    flags = ["--config", str(ROOT / path), "--input", "videos", "--lake", "lake"]
    config, _ = parse_config(CurateConfig, flags, prog="test", summary="", examples=())
    config = find_files(config, ROOT / path)
    rules = load_rules(config.filter.rules)
    measured = {"probe", *config.score.detectors}
    asked = {rule.metric.partition(".")[0] for rule in rules if rule.if_missing == "error"}
    assert asked <= measured, "a rule ends the run for want of a score"
    if config.balance is not None and config.balance.human_metric is not None:
        assert config.balance.human_metric.partition(".")[0] in measured
    if path.name not in ("paper.yaml", "audio.yaml"):
        check_tools(config, JOBS)  # works as it is: nothing to bring along


def test_the_papers_curation_names_the_weights_it_lacks():
    """Before the first file is opened, and not after hours of scoring."""
    from curation.config import CurateConfig, find_files
    from curation.jobs.run import check_tools
    from moviegen.config import parse_config
    from moviegen.errors import UsageError

    path = ROOT / "curation" / "paper.yaml"
    flags = ["--config", str(path), "--input", "videos", "--lake", "lake"]
    config, _ = parse_config(CurateConfig, flags, prog="test", summary="", examples=())
    config = find_files(config, path)
    with pytest.raises(UsageError, match=r"aesthetic: no file weights/.*or say where it is"):
        check_tools(config, ["score"])
    with pytest.raises(UsageError, match=r"embedder sscd: no file weights/sscd.*or say where it is"):
        check_tools(config, ["embed"])


def test_sizes_of_a_recipe_fit_together():
    """The tiny transformer takes what the tiny TAE and the tiny text encoder give, and has positions for its buckets."""
    from moviegen.config import load_config
    from moviegen.contracts.bucket import BucketSet, frame_size
    from moviegen.models.tae import TAEConfig
    from moviegen.models.text import ByteTextEncoderConfig
    from moviegen.models.video_dit import VideoDiTConfig

    tae = load_config(TAEConfig, ROOT / "models/tae/tiny.yaml")
    text = load_config(ByteTextEncoderConfig, ROOT / "models/text/tiny.yaml")
    dit = load_config(VideoDiTConfig, ROOT / "models/video_dit/tiny.yaml")
    buckets = load_config(BucketSet, ROOT / "buckets/tiny.yaml")
    assert dit.latent_channels == tae.latent_channels
    assert dit.context_widths == (text.dim,)
    widths, heights = zip(*(frame_size(aspect, 64) for aspect in buckets.aspects), strict=True)
    assert dit.max_width * 16 >= max(widths)
    assert dit.max_height * 16 >= max(heights)
    assert dit.max_frames * 8 >= max(d.num_frames for d in buckets.durations)


def test_every_file_is_of_a_known_kind():
    known = ("models", "buckets", "training", "recipes", "curation", "generate", "prompts")
    assert [path for path in FILES if path.parts[0] not in known] == []


def test_the_papers_mix_of_captioners():
    from curation.captioning.plan import read_plan

    entries = read_plan(yaml.safe_load((ROOT / "curation/paper.yaml").read_text())["caption"]["captioners"])
    assert [(entry.label, entry.dealt) for entry in entries] == [("llama_8b", (0.0, 0.7)), ("llama_70b", (0.7, 1.0))]
    assert not any(entry.is_audio for entry in entries)


def test_what_is_commented_out_would_load():
    """The blocks for what must be brought along, taken out of their comments."""
    from curation.config import CurateConfig
    from moviegen.config import parse_config

    lines = (ROOT / "curation/explore.yaml").read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("# personal:"))
    blocks = yaml.safe_load("\n".join(line.removeprefix("# ") for line in lines[start:]))
    assert set(blocks) == {"personal", "edits"}
    named = yaml.safe_load("\n".join(line.strip("# ") for line in lines if line.startswith("    # ") and ": {" in line))
    flags = ["--lake", "lake", "--config", str(ROOT / "curation/explore.yaml")]
    flags += [f"--{name}={yaml.safe_dump(value, default_flow_style=True)}" for name, value in blocks.items()]
    config, _ = parse_config(CurateConfig, flags, prog="test", summary="", examples=())
    assert config.personal.faces == {"identity_weights": "weights/arcface.onnx"}
    assert config.edits.segmenter == "torchscript"
    from curation.detectors import DETECTORS

    assert {"sound_tags", "audio_quality", "sync"} <= set(named) <= set(DETECTORS)


def test_the_audio_subset_finds_what_it_asks_for():
    from curation.captioning.plan import read_audio_plan
    from curation.sound_buckets import PAPER_ROWS, SOUND_DETECTORS, SoundConfig

    content = yaml.safe_load((ROOT / "curation/audio.yaml").read_text())
    assert set(SOUND_DETECTORS) <= set(content["score"]["detectors"])
    assert [entry.label for entry in read_audio_plan(content["caption"]["audio_captioners"])] == ["audio_template"]
    assert SoundConfig(**content["sound"]).rows == PAPER_ROWS
