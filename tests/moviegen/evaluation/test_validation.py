"""Training's validation and `eval run` give the same number."""

import json
from fractions import Fraction

import pytest

torch = pytest.importorskip("torch")

from moviegen.cli import main  # noqa: E402
from moviegen.evaluation.inside import pixels_of  # noqa: E402
from moviegen.evaluation.validation import validation_psnr  # noqa: E402
from moviegen.media.read import read_video  # noqa: E402
from moviegen.media.write import write_video  # noqa: E402
from moviegen.testing.pairs import make_clip  # noqa: E402


def test_a_known_error():
    pixels = torch.full((2, 3, 4, 8, 8), -1.0)
    off = pixels + torch.tensor([0.4, 0.04])[:, None, None, None, None]  # 51 and 5.1 of 255 levels
    levels = torch.tensor([51.0, 5.0])
    assert validation_psnr(off, pixels) == pytest.approx(float((20 * (255 / levels).log10()).mean()), abs=1e-5)
    assert validation_psnr(pixels + 7, pixels + 3) == 100, "what is brighter than white is white"


def test_the_number_is_that_of_the_files(tmp_path):
    clips = (make_clip(1, 3, 32, 15.0), make_clip(1, 3, 32))
    for folder, clip in zip(("made", "before"), clips, strict=True):
        (tmp_path / folder).mkdir()
        write_video(tmp_path / folder / "a.mp4", clip, Fraction(8))
    more = ["--reference", tmp_path / "before", "--metrics", '["psnr"]', "--output", tmp_path / "out", "--workers", 1]
    assert main(["eval", "run", "tae", str(tmp_path / "made"), *map(str, more)]) == 0
    measured = json.loads((tmp_path / "out" / "results-made.json").read_text())["metrics"][0]["value"]
    pairs = [pixels_of(read_video(tmp_path / folder / "a.mp4")) for folder in ("made", "before")]
    assert validation_psnr(*pairs) == pytest.approx(measured, abs=1e-9)
