"""Tables of positions that are too short for the data are refused before the first step, with what to type."""

import re
import shlex

import pytest

from moviegen.errors import UsageError
from moviegen.models.video_dit import VideoDiTConfig
from training.cli import train
from training.modules.tables import check_positions


def test_a_new_network_says_which_bucket_and_the_setting_that_mends_it(dit_stage, encoded, tmp_path):
    words = ["fit", "--config", str(dit_stage), "--output", str(tmp_path / "run"), "--trainer.max_steps", "1"]
    words += ["--data.latents", str(encoded / "latents"), "--model.tae", str(encoded / "model")]
    short = ["--model.video_dit.max_width", "2"]
    for more in ([], ["--dry-run"]):
        with pytest.raises(
            UsageError, match=r"have \(4, 8, 2\) rows .* bucket 16x9-f1 has \(1, 2, 3\), 16x9-f16 has \(2, 2, 3\)"
        ) as said:
            train([*words, *short, *more])
    (advice,) = re.findall(r"set (--.*?) \(in YAML model.init_args.video_dit;", str(said.value))
    assert shlex.split(advice) == ["--model.video_dit.max_width", "3"]
    assert train([*words, *shlex.split(advice), "--allow_changed", "true"]) == 0


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (
            "model.positions",
            r"set --model.positions '\{max_frames: 4, max_height: 5, max_width: 4\}' \(in YAML model.init_args.pos",
        ),
        (
            "",
            r"give an init_from whose stage had model.positions \{max_frames: 4, max_height: 5, max_width: 4\} at least",
        ),
    ],
)
def test_a_network_that_comes_from_elsewhere_is_grown(setting, said):
    tables = VideoDiTConfig(max_frames=4, max_height=4, max_width=4)
    check_positions(tables, {"1x1-f16": (16, 64, 64)}, setting)
    with pytest.raises(UsageError, match=said):
        check_positions(tables, {"1x1-f16": (16, 64, 64), "9x16-f16": (16, 80, 48)}, setting)
