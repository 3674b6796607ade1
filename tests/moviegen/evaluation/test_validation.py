"""Training's validation and `eval run` give the same number."""

import json
from fractions import Fraction

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from moviegen.cli import main  # noqa: E402
from moviegen.evaluation.inside import pixels_of  # noqa: E402
from moviegen.evaluation.validation import latent_metrics, reconstruction_metrics, sample_metrics  # noqa: E402
from moviegen.media.read import read_video  # noqa: E402
from moviegen.media.write import write_video  # noqa: E402
from moviegen.testing.pairs import make_clip  # noqa: E402


def test_a_known_error():
    pixels = torch.full((2, 3, 4, 8, 8), -1.0)
    off = pixels + torch.tensor([0.4, 0.04])[:, None, None, None, None]  # 51 and 5.1 of 255 levels
    levels = torch.tensor([51.0, 5.0])
    wanted = float((20 * (255 / levels).log10()).mean())
    assert reconstruction_metrics(off, pixels) == {"psnr": pytest.approx(wanted, abs=1e-5), "flicker_error": 0.0}
    assert reconstruction_metrics(pixels + 7, pixels + 3)["psnr"] == 100, "what is brighter than white is white"
    assert set(reconstruction_metrics(off[:, :, :1], pixels[:, :, :1])) == {"psnr"}, "a single frame does not flicker"


def test_numbers_of_samples_and_latents():
    still = np.repeat(make_clip(1, 1, 32), 4, 0)
    found = sample_metrics([still, make_clip(1, 4, 32)], Fraction(8))
    assert found["frozen"] == 0.5
    assert found["motion"] > 0 < found["flicker"]
    assert sample_metrics([still[:1]], Fraction(8)) == {}
    z = torch.zeros(2, 4, 1, 16, 16)
    z[0, :, 0, 3, 3] = 40.0
    assert latent_metrics(z)["latent_outliers"] == pytest.approx(1 / 512)


def test_the_number_is_that_of_the_files(tmp_path):
    clips = (make_clip(1, 3, 32, 15.0), make_clip(1, 3, 32))
    for folder, clip in zip(("made", "before"), clips, strict=True):
        (tmp_path / folder).mkdir()
        write_video(tmp_path / folder / "a.mp4", clip, Fraction(8))
    more = [
        "--reference",
        tmp_path / "before",
        "--metrics",
        '["psnr","ssim","flicker_error"]',
        "--output",
        tmp_path / "out",
        "--workers",
        1,
    ]
    assert main(["eval", "run", "tae", str(tmp_path / "made"), *map(str, more)]) == 0
    rows = json.loads((tmp_path / "out" / "results-made.json").read_text())["metrics"]
    pairs = [pixels_of(read_video(tmp_path / folder / "a.mp4")) for folder in ("made", "before")]
    assert reconstruction_metrics(*pairs) == pytest.approx({row["metric"]: row["value"] for row in rows}, abs=1e-9)
