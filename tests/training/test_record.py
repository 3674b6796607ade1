"""What is written down at a start is what was."""

import json
import subprocess
from importlib.metadata import version

from moviegen.contracts.stage import STARTS_FILE, read_starts
from training.config import weights_sha256
from training.record import git_state, hidden, packages


def test_a_stage_says_how_it_was_started_and_on_what(trained_tae):
    text = (trained_tae / STARTS_FILE).read_text()
    start, *others = read_starts(trained_tae)
    assert start["step"] == 0
    assert start["packages"]["torch"] == version("torch")
    assert start["machine"]["cpus"] > 0
    identity = json.loads((trained_tae / "identity.json").read_text())
    assert start["inputs"] == {"data": identity["data"]["digest"]}
    with open(trained_tae / STARTS_FILE, "a") as file:
        file.write('{"cut by a cra')
    assert read_starts(trained_tae) == [start, *others]
    (trained_tae / STARTS_FILE).write_text(text)


def test_models_that_a_stage_begins_from_are_named_by_their_weights(dit_stage, encoded, tmp_path):
    from training.fit import fit

    places = [
        "--data.latents",
        str(encoded / "latents"),
        "--model.tae",
        str(encoded / "model"),
        "--output",
        str(tmp_path / "run"),
    ]
    assert fit(["--config", str(dit_stage), *places, "--trainer.max_steps", "1"]) == 0
    assert read_starts(tmp_path / "run")[0]["inputs"]["model.tae"] == weights_sha256(encoded / "model")


def test_secrets_are_not_written_down():
    words = [
        "moviegen",
        "--logger.api_key",
        "abc",
        "--x.token=abc",
        "--data.tokens_per_batch",
        "5",
        "--config",
        "a.yaml",
    ]
    assert hidden(words) == [
        "moviegen",
        "--logger.api_key",
        "...",
        "--x.token=...",
        "--data.tokens_per_batch",
        "5",
        "--config",
        "a.yaml",
    ]


def test_changes_that_are_in_no_commit_are_kept(tmp_path):
    root, folder = tmp_path / "code", tmp_path / "run"
    root.mkdir()
    folder.mkdir()
    assert git_state(root, folder) is None
    name = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "."], [*name, "commit", "-q", "-m", "one"]):
        (root / "a.py").write_text("1\n")
        subprocess.run(["git", "-C", str(root), *words], check=True)
    clean = git_state(root, folder)
    assert clean is not None
    assert not clean["is_changed"]
    (root / "a.py").write_text("2\n")
    changed = git_state(root, folder)
    assert changed["is_changed"]
    assert "+2" in (folder / changed["patch"]).read_text()


def test_versions_are_of_what_is_installed():
    assert {"moviegen", "torch", "numpy"} <= set(packages())
