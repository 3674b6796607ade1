"""Wrong paths of `fit` are refused before Lightning is imported."""

import subprocess
import sys

import pytest

from moviegen.errors import UsageError
from training.cli import train


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "give --output RUN"),
        (["--output", "x"], "give --data.lake LAKE"),
        (["--output=x", "--data.lake", "none"], "none: no such folder, so no lake"),
        (["--output=x", "--data.init_args.lake=none"], "none: no such folder, so no lake"),
    ],
)
def test_a_stage_on_pixels_needs_its_folder_and_a_lake(flags, message, repo_root):
    stage = repo_root / "configs/training/tae/01_64px.yaml"
    with pytest.raises(UsageError, match=message):
        train(["fit", "--config", str(stage), *flags])


def test_a_stage_on_latents_needs_them_and_the_autoencoder(repo_root, tmp_path):
    stage = ["fit", "--config", str(repo_root / "configs/training/video_dit/01_t2i_64px.yaml"), "--output", "x"]
    with pytest.raises(UsageError, match=r"--model.tae none: no such folder; wanted the model/ of the encode"):
        train([*stage, "--model.tae", "none", "--data.latents", str(tmp_path)])
    with pytest.raises(UsageError, match=r"--data.latents none: no such folder; wanted the latents/"):
        train([*stage, "--model.tae", str(tmp_path), "--data.latents", "none"])
    with pytest.raises(
        UsageError, match=r"give --model.tae FOLDER, the model/ of the encode stage .* RUNS/02_encode/model"
    ):
        train([*stage, "--data.latents", str(tmp_path)])
    with pytest.raises(UsageError, match=r"--data.lake x: this stage reads latents: --data.latents FOLDER"):
        train([*stage, "--data.lake", "x"])


def test_the_refusal_imports_no_framework(repo_root):
    script = (
        "import sys\nfrom training.cli import train\nfrom moviegen.errors import UsageError\n"
        "try:\n    train(['fit', '--config', sys.argv[1]])\n"
        "except UsageError:\n    print(sorted({'torch', 'lightning'} & set(sys.modules)))"
    )
    config = str(repo_root / "configs/training/tae/01_64px.yaml")
    done = subprocess.run([sys.executable, "-c", script, config], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_of_fit_fits_a_screen(capsys):
    assert train(["fit", "--help"]) == 0
    text = capsys.readouterr().out
    assert len(text.splitlines()) < 40
    assert "moviegen train fit --config configs/training/tae/01_64px.yaml --data.lake lake/ --output runs/tae" in text
