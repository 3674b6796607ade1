"""Every recipe of the paper in its tiny form, end to end: each stage leaves its model and lowers its validation loss."""

from pathlib import Path

import pytest

from moviegen.contracts.stage import parse_stage_folder, read_stage
from moviegen.pipelines.product import load_product, pipeline_of
from moviegen.pipelines.product_index import own_defaults
from moviegen.pipelines.video import VideoPipeline
from moviegen.testing.lake import write_toy_lake
from moviegen.testing.tiny_products import tiny_t2v
from moviegen.testing.toy_sets import write_toy_edits, write_toy_personal
from training.callbacks.metrics import METRICS_FILE, read_metrics
from training.cli import train
from training.recipe import load_recipe

QUICK_TO_LEARN = ("personalize", "edit")
SMALL = {"fps": 6, "width": 64, "height": 64}


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Path:
    """A lake of clips with sound and captions of it, and sets of people and of edits."""
    root = tmp_path_factory.mktemp("stages_lake")
    write_toy_lake(root, 5, 16, with_audio_captions=True, max_samples=8, **SMALL)
    write_toy_personal(root, 6, 8, **SMALL)
    write_toy_edits(root, 7, 8, **SMALL)
    return root


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> Path:
    """A lake with enough clips that stages which begin from each other still have something to learn of those held out: 16 are known by
    heart before the last."""
    root = tmp_path_factory.mktemp("films_lake")
    write_toy_lake(root, 5, 80, max_samples=32, duration=4.5, **SMALL)
    return root


@pytest.fixture(scope="module")
def t2v(tmp_path_factory) -> Path:
    """A text-to-video product whose networks know nothing: of the sizes that the tiny recipes begin from."""
    folder = tmp_path_factory.mktemp("t2v") / "model"
    tiny_t2v().save_pretrained(folder)
    return folder


GUIDANCE = 2.5
"""That the last stage of a product is told to leave with its model."""


def run(repo_root: Path, name: str, lake: Path, output: Path, t2v: Path | None) -> dict[str, Path]:
    """Runs a tiny recipe; the folders of its stages by name."""
    needs = ["--needs.t2v", str(t2v)] if t2v else []
    recipe = repo_root / f"configs/recipes/{name}_tiny.yaml"
    flags = stage_flags(recipe, name in QUICK_TO_LEARN, None if name == "video" else GUIDANCE)
    assert train(["run", str(recipe), "--lake", str(lake), "--output", str(output), *needs, *flags]) == 0
    return {parse_stage_folder(folder.name)[1]: folder for folder in output.iterdir()}


def stage_flags(recipe: Path, is_quick: bool, guidance_scale: float | None) -> list[str]:
    """Flags of stages: where it is quick each ends after two validations, five steps apart; the last one's guidance."""
    stages = load_recipe(recipe).stages
    words = {
        stage.name: "--trainer.val_check_interval 5 --trainer.max_steps 10" if is_quick else "" for stage in stages
    }
    if guidance_scale is not None:
        words[stages[-1].name] += f" --model.guidance_scale {guidance_scale}"
    return [word for name, flags in words.items() if flags for word in (f"--flags.{name}", flags.strip())]


def check_learned(stages: dict[str, Path]) -> None:
    """Each trained stage's last validation is better than its first, or AssertionError with all of them."""
    curves = {}
    for name, folder in stages.items():
        assert read_stage(folder) is not None, name
        values = [value for _, metric, value in read_metrics(folder / METRICS_FILE) if metric == "val/loss"]
        curves |= {name: values} if values else {}
    assert curves
    assert all(values[-1] < values[0] for values in curves.values()), curves


@pytest.mark.parametrize(
    ("name", "kind", "pipeline", "networks"),
    [
        ("personalize", "personalize", "PersonalPipeline", {"tae", "personal_dit", "vision"}),
        ("edit", "edit", "EditPipeline", {"tae", "edit_dit"}),
        ("audio", "audio_dit", "SoundtrackPipeline", {"audio_codec", "audio_dit", "vision"}),
        ("image_and_upsampler", "upsampler", "UpsamplePipeline", {"tae", "upsampler"}),
    ],
)
def test_a_products_stages_learn(name, kind, pipeline, networks, repo_root, lake, t2v, tmp_path):
    stages = run(repo_root, name, lake, tmp_path, None if name == "audio" else t2v)
    check_learned(stages)
    last = max(stages.values(), key=lambda folder: folder.name)
    assert read_stage(last).kind == kind
    assert pipeline_of(last / "model") == pipeline
    assert set(load_product(last / "model", pipeline).networks) == networks
    assert own_defaults(last / "model")["guidance_scale"] == GUIDANCE
    if name == "audio":
        assert own_defaults(last / "model")["window_s"] == 2.0  # the longest of its chunks


def test_text_to_video_from_the_autoencoder_to_the_average(repo_root, films, tmp_path):
    stages = run(repo_root, "video", films, tmp_path, None)
    check_learned(stages)
    tables = {
        name: VideoPipeline.from_pretrained(stages[name] / "model").video_dit.positions
        for name in ("t2i_256px", "t2v_256px", "t2v_768px", "average")
    }
    rows = {name: (len(t.time), len(t.height), len(t.width)) for name, t in tables.items()}
    assert rows == {
        "t2i_256px": (1, 3, 3), "t2v_256px": (4, 4, 4), "t2v_768px": (4, 8, 8), "average": (4, 8, 8),
    }  # fmt: skip
    metrics = {metric for _, metric, _ in read_metrics(stages["tae_256px"] / METRICS_FILE)}
    assert {"train/opl", "train/gan", "train/discriminator", "train/judge_grad_norm"} <= metrics
