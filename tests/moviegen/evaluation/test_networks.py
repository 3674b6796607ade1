"""Metrics that need a network, with tiny ones made here: what they give, and that a change of weights changes the name of the result."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from moviegen.cli import main  # noqa: E402
from moviegen.evaluation.inside import outliers  # noqa: E402
from moviegen.testing.pairs import make_clip, write_clips  # noqa: E402


class Means(nn.Module):
    """Means over everything but batch and channel, and their squares: (B, C, ...) -> (B, 2 C)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        means = x.flatten(2).mean(2)
        return torch.cat([means, means * means], 1)


class Levels(nn.Module):
    """(B, N) samples -> (B, 3)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([x.mean(1), x.abs().mean(1), x.std(1)], 1)


class Seen(nn.Module):
    """(1, T, 3, side, side) -> (1, 3): mean colour."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((1, 3, 4))


class Words(nn.Module):
    """(1, L) tokens -> (1, 3): which of three words are there."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([(x == i).float().sum(1) for i in range(1, 4)], 1)


def script(module: nn.Module, path: Path) -> Path:
    torch.jit.save(torch.jit.script(module.eval()), str(path))
    return path


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> tuple[Path, Path, Path]:
    """(root, generated, real): sixteen clips each, under other names."""
    root = tmp_path_factory.mktemp("networks")
    shape = {"frames": 4, "size": 32}
    generated = write_clips(root / "generated", {f"g{i}": i for i in range(16)}, noise=20, **shape)
    return root, generated, write_clips(root / "real", {f"r{i}": 100 + i for i in range(16)}, **shape)


def evaluate(output: Path, suite: str, generated: Path, *more: object) -> dict[str, dict]:
    assert main(["eval", "run", suite, str(generated), "--output", str(output), "--workers", "1", *map(str, more)]) == 0
    found = json.loads((output / f"results-{generated.name}.json").read_text())
    return {row["metric"]: row for row in found["metrics"]}


def test_distances_of_sets_have_n_and_hash_and_refuse_too_few(folders, tmp_path, monkeypatch):
    root, generated, real = folders
    weights = script(Means(), root / "tiny.pt")
    asked = ("t2v", generated, "--reference", real, "--metrics", '["fvd.*","kvd.*","fid.*"]', "--networks.video_extractor", weights,
             "--networks.image_extractor", weights, "--networks.video_px", 16, "--networks.image_px", 16)  # fmt: skip
    found = evaluate(tmp_path, *asked)
    assert found["fvd.tiny"]["value"] > 0
    assert found["fvd.tiny"]["n"] == 16
    assert len(found["fvd.tiny"]["weights"]) == 64
    assert "n = 16 beside 16, D = 6" in found["fvd.tiny"]["note"]
    assert found["kvd.tiny"]["low"] < found["kvd.tiny"]["value"] < found["kvd.tiny"]["high"]
    import moviegen.evaluation.extractors as extractors

    monkeypatch.setattr(extractors.Extractor, "features", lambda self, path: pytest.fail("asked the network again"))
    assert evaluate(tmp_path, *asked) == found
    monkeypatch.setattr("moviegen.evaluation.distances.ITEMS_A_NUMBER", 3)
    few = evaluate(tmp_path, *asked)["fvd.tiny"]
    assert few["value"] is None
    assert "--allow_small" in few["note"]


def test_a_set_beside_itself_is_nothing_apart(folders, tmp_path):
    root, generated, _ = folders
    weights = script(Means(), root / "same.pt")
    found = evaluate(tmp_path, "t2v", generated, "--reference", generated, "--metrics", '["fvd.*"]',
                     "--networks.video_extractor", weights, "--networks.video_px", 16)  # fmt: skip
    assert abs(found["fvd.same"]["value"]) < 1e-3


def test_alignment_direction_and_texts(tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    folder = tmp_path / "viclip"
    folder.mkdir()
    script(Seen(), folder / "video.pt")
    script(Words(), folder / "text.pt")
    words = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({"[UNK]": 0, "red": 1, "green": 2, "blue": 3}, unk_token="[UNK]")
    )
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    words.save(str(folder / "tokenizer.json"))
    from fractions import Fraction

    from moviegen.media.write import write_video

    for place, colour in (("before", (250, 0, 0)), ("after", (0, 0, 250))):
        (tmp_path / place).mkdir()
        write_video(tmp_path / place / "a.mp4", np.full((4, 32, 32, 3), colour, np.uint8), Fraction(8))
    rows = {"right": ("blue", "red"), "wrong": ("red", "blue")}
    found = {}
    for name, (prompt, source) in rows.items():
        (tmp_path / "p.csv").write_text(f"name,prompt,source_prompt\na,{prompt},{source}\n")
        found[name] = evaluate(tmp_path / name, "edit", tmp_path / "after", "--reference", tmp_path / "before", "--networks.viclip",
                               folder, "--prompts", tmp_path / "p.csv", "--metrics", '["viclip.alignment","viclip.direction"]')  # fmt: skip
    assert found["right"]["viclip.alignment"]["value"] > 0.9 > 0.2 > found["wrong"]["viclip.alignment"]["value"]
    assert found["right"]["viclip.direction"]["value"] > 0.9
    assert found["wrong"]["viclip.direction"]["value"] < -0.9


def test_identity_knows_the_person_from_a_stranger(tmp_path):
    from moviegen.media.write import write_image

    generated = write_clips(tmp_path / "generated", {f"p{i}": i for i in range(3)}, noise=8, frames=3, size=32)
    (tmp_path / "pictures").mkdir()
    for i in range(3):
        write_image(tmp_path / "pictures" / f"p{i}.png", make_clip(i, frames=1, size=32)[0])
    weights = script(nn.Sequential(nn.AvgPool2d(8), nn.Flatten()), tmp_path / "face.pt")
    found = evaluate(tmp_path / "out", "identity", generated, "--pictures", tmp_path / "pictures", "--networks.identity", weights,
                     "--networks.identity_px", 32)  # fmt: skip
    assert found["identity.worst"]["value"] <= found["identity.mean"]["value"] <= found["identity.best"]["value"]
    assert found["identity.mean"]["value"] > found["identity.stranger"]["value"] + 0.3
    assert "identity.faces" not in found, "nothing looked for a face"
    about = json.loads((tmp_path / "out" / "results-generated.json").read_text())
    assert about["not_measured"]["identity.faces"] == "needs --networks.faces"


def test_outliers_of_latents():
    z = np.random.default_rng(0).normal(size=(4, 2, 16, 16))
    share, farthest = outliers(z)
    z[:, 0, 3, 3] = 40.0
    spotted = outliers(z)
    assert spotted[1] > 3 * farthest
    assert spotted[0] <= share + 1 / 512
    assert outliers(np.zeros((4, 2, 3, 3))) == (0.0, 0.0)


def test_our_own_networks(tmp_path):
    from moviegen.models.tae import TAE, TAEConfig
    from moviegen.models.text import ByteTextEncoder, ByteTextEncoderConfig
    from moviegen.models.video_dit import VideoDiT, VideoDiTConfig
    from moviegen.pipelines.video import VideoDefaults, VideoPipeline

    torch.manual_seed(0)
    tae = TAE(TAEConfig(channels=8, multipliers=(1, 1, 1, 1), num_res_blocks=1, latent_channels=4, norm_groups=4))
    sizes = {"max_frames": 4, "max_height": 4, "max_width": 4, "latent_channels": 4, "context_widths": (16,)}
    dit = VideoDiT(VideoDiTConfig(dim=32, num_layers=1, num_heads=2, ffn_dim=48, **sizes))
    text = ByteTextEncoder(ByteTextEncoderConfig(dim=16, num_layers=1, num_heads=2, ffn_dim=24))
    shape = VideoDefaults(num_frames=9, width=32, height=32)
    VideoPipeline(tae.eval(), dit.eval(), [text.eval()], shape).save_pretrained(tmp_path / "model")
    generated = write_clips(tmp_path / "clips", {"long": 1, "short": 2}, frames=9, size=32)
    short = write_clips(tmp_path / "other", {"short": 2}, frames=5, size=32)
    shutil.copy(short / "short.mp4", generated / "short.mp4")
    for name in ("long", "short"):
        (generated / f"{name}.txt").write_text("a red circle")
    found = evaluate(tmp_path / "out", "t2v,tae", generated, "--networks.checkpoint", tmp_path / "model", "--networks.tae",
                     tmp_path / "model" / "tae", "--metrics", '["val_loss","latent_outliers","latent_farthest"]')  # fmt: skip
    assert found["val_loss"]["value"] > 0
    assert (found["val_loss"]["n"], found["val_loss"]["num_skipped"]) == (1, 1)
    assert found["latent_farthest"]["n"] == 2


def test_a_network_that_is_not_there_says_so(folders, tmp_path, capsys):
    _, generated, real = folders
    command = ["eval", "run", "t2v", str(generated), "--reference", str(real), "--output", str(tmp_path)]
    assert main([*command, "--networks.video_extractor", str(tmp_path / "none.pt"), "--metrics", '["fvd.*"]']) == 2
    assert "no such file" in capsys.readouterr().err
    (tmp_path / "bad.pt").write_bytes(b"no network")
    assert main([*command, "--networks.video_extractor", str(tmp_path / "bad.pt"), "--metrics", '["fvd.*"]']) == 2
