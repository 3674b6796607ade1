"""A model in the hub's layout is the same model, in files of bounded size, with a card that says what the files say."""

import json

import pytest
import torch
from huggingface_hub import ModelCard

from moviegen.cli import main
from moviegen.errors import UsageError
from moviegen.hub.card import CARD_FILE, training_of
from moviegen.hub.layout import networks_of
from moviegen.models.video_dit import VideoDiT
from moviegen.pipelines.soundtrack import SoundtrackPipeline
from moviegen.pipelines.video import VideoPipeline
from moviegen.testing.tiny_products import tiny_soundtrack, tiny_t2v
from moviegen.weight_files import INDEX_FILE, files_of_index, weight_files


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Folder of a tiny text-to-video product."""
    folder = tmp_path_factory.mktemp("product") / "model"
    tiny_t2v().save_pretrained(folder)
    return folder


def states(folder):
    pipeline = VideoPipeline.from_pretrained(folder)
    return [pipeline.tae.state_dict(), pipeline.video_dit.state_dict(), pipeline.text_encoders[0].state_dict()]


def test_files_are_bounded_named_in_an_index_and_load_as_the_same_model(model, tmp_path, capsys):
    out = tmp_path / "hub"
    assert main(["export", str(model), "--output", str(out), "--max_shard_size", "50KB"]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    files = weight_files(out / "video_dit")
    assert len(files) > 2
    assert files[0].name == f"model-00001-of-{len(files):05d}.safetensors"
    index = json.loads((out / "video_dit" / INDEX_FILE).read_text())
    (network,) = [each for each in networks_of(out) if each.name == "video_dit"]
    assert index["metadata"]["total_size"] == sum(network.sizes.values())
    largest = max(network.sizes.values())
    assert all(path.stat().st_size < max(50_000, largest) + 4096 for path in files)
    for before, after in zip(states(model), states(out), strict=True):
        assert before.keys() == after.keys()
        assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    again = VideoDiT.from_pretrained(str(out / "video_dit"))
    assert torch.equal(again.patch_in.weight, states(model)[1]["patch_in.weight"])
    # from many files to one
    assert main(["export", str(out), "--output", str(tmp_path / "whole")]) == 0
    assert [path.name for path in weight_files(tmp_path / "whole/video_dit")] == ["model.safetensors"]
    assert states(tmp_path / "whole")[1].keys() == states(model)[1].keys()


def test_the_card_says_what_the_files_say(model, tmp_path):
    assert (
        main(["export", str(model), "--output", str(tmp_path / "hub"), "--license", "cc-by-4.0", "--name", "Waves"])
        == 0
    )
    card = ModelCard.load(tmp_path / "hub" / CARD_FILE)
    assert (card.data.license, card.data.library_name, card.data.pipeline_tag) == (
        "cc-by-4.0",
        "moviegen",
        "text-to-video",
    )
    numbers = sum(p.numel() for p in VideoPipeline.from_pretrained(model).video_dit.parameters())
    assert f"| `video_dit` | {numbers:,} |" in card.text
    assert "# Waves" in card.text
    assert "from moviegen.pipelines.video import VideoPipeline" in card.text
    assert "Not known: no stage's folder" in card.text
    assert "Not measured here" in card.text


def test_half_precision_is_half_the_size_and_close(model, tmp_path):
    assert main(["export", str(model), "--output", str(tmp_path / "hub"), "--dtype", "bfloat16"]) == 0
    before, after = (sum(sum(n.sizes.values()) for n in networks_of(folder)) for folder in (model, tmp_path / "hub"))
    assert after / before == pytest.approx(0.5, abs=0.01)
    for name, tensor in states(model)[1].items():
        assert torch.allclose(states(tmp_path / "hub")[1][name], tensor, rtol=2**-8)


def test_every_product_is_exported_and_loads(tmp_path):
    tiny_soundtrack().save_pretrained(tmp_path / "model")
    assert (
        main(["export", str(tmp_path / "model"), "--output", str(tmp_path / "hub"), "--max_shard_size", "100KB"]) == 0
    )
    SoundtrackPipeline.from_pretrained(tmp_path / "hub")
    assert ModelCard.load(tmp_path / "hub" / CARD_FILE).data.pipeline_tag == "text-to-audio"


def test_what_is_wrong_is_said_and_leaves_nothing(model, tmp_path, capsys):
    assert main(["export", str(tmp_path), "--output", str(tmp_path / "a")]) == 2
    assert "no model folder" in capsys.readouterr().err
    assert main(["export", str(model), "--output", str(tmp_path / "b"), "--max_shard_size", "large"]) == 2
    assert "wanted a size such as 5GB" in capsys.readouterr().err
    (tmp_path / "there").mkdir()
    assert main(["export", str(model), "--output", str(tmp_path / "there")]) == 2
    assert "--overwrite to replace it" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there"]
    assert main(["export", str(model), "--output", str(tmp_path / "there"), "--overwrite"]) == 0
    assert (tmp_path / "there/model_index.json").exists()


def test_overwrite_removes_earlier_exports_alone(model, tmp_path, capsys):
    words = ["export", str(model), "--overwrite", "--output"]
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "letter.txt").write_text("kept")
    assert main([*words, str(mine)]) == 2
    assert "is no earlier export" in capsys.readouterr().err
    assert (mine / "letter.txt").read_text() == "kept"
    for place in (model, model.parent, model / "hub"):
        assert main([*words, str(place)]) == 2
        assert "choose another folder" in capsys.readouterr().err
    assert (model / "model_index.json").is_file()
    assert [main([*words, str(tmp_path / "hub")]) for _ in range(2)] == [0, 0]
    stage = tmp_path / "hub"
    (stage / "checkpoints").mkdir()
    assert main([*words, str(stage)]) == 2
    assert (stage / "checkpoints").is_dir()


@pytest.mark.parametrize("names", [["../x.safetensors"], ["model.bin"], ["/etc/passwd"], [], [3]])
def test_an_index_that_names_other_files_is_refused(names, tmp_path):
    path = tmp_path / INDEX_FILE
    path.write_text(json.dumps({"weight_map": {str(i): name for i, name in enumerate(names)}}))
    with pytest.raises(UsageError, match=str(path)):
        files_of_index(path)


def test_a_missing_part_is_named(model, tmp_path):
    assert main(["export", str(model), "--output", str(tmp_path / "hub"), "--max_shard_size", "50KB"]) == 0
    gone = weight_files(tmp_path / "hub/video_dit")[1]
    gone.unlink()
    with pytest.raises(UsageError, match=f"{gone.name}: is missing"):
        VideoPipeline.from_pretrained(tmp_path / "hub")


def test_nothing_is_made_up_of_a_stage_without_files(tmp_path):
    training = training_of(tmp_path)
    assert (training.stage, training.step, training.settings, training.metrics, training.num_files) == (
        "",
        0,
        {},
        {},
        0,
    )


@pytest.mark.parametrize(("text", "step"), [("", None), ('{"step": 1}\n{"step": 2, "com', 1)])
def test_a_start_cut_by_a_crash_is_left_out(tmp_path, text, step):
    (tmp_path / "starts.jsonl").write_text(text)
    assert training_of(tmp_path).start.get("step") == step
