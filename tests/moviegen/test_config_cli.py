"""`moviegen config`: what a command would run with, where it comes from, and what an editor checks by."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from moviegen.cli import main
from moviegen.config_cli import leaves

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def run(capsys, *argv: str) -> tuple[int, str, str]:
    try:
        code = main(list(argv))
    except SystemExit as left:
        code = left.code
    said = capsys.readouterr()
    return code, said.out, said.err


def test_each_setting_is_told_with_its_origin(capsys, tmp_path):
    file = tmp_path / "my.yaml"
    file.write_text("split: {max_clip_s: 9}\nsubset: mine\n")
    argv = ["curate", "run", "lake", "--config", str(file), "--split.min_clip_s=2", "--dedup", "null"]
    code, out, _ = run(capsys, "config", "show", "--origin", *argv)
    told = {name: (value, origin) for name, value, origin in (line.split("\t") for line in out.splitlines())}
    assert code == 0
    assert told["lake"] == ("lake", "flag")
    assert told["split.min_clip_s"] == ("2.0", "flag")
    assert told["split.max_clip_s"] == ("9.0", str(file))
    assert told["subset"] == ("mine", str(file))
    assert told["batch"] == ("default", "default")


def test_the_settings_are_printed_as_yaml_that_can_be_run(capsys):
    code, out, _ = run(capsys, "config", "show", "curate", "run", "lake", "--split.max_clip_s", "9")
    assert code == 0
    assert yaml.safe_load(out)["split"]["max_clip_s"] == 9


def cases():
    for path in sorted((CONFIGS / "curation").glob("*.yaml")):
        yield pytest.param(["curate", "run"], path, id=path.stem)
    for kind, folder in (("rules", "curation/filter"), ("buckets", "buckets")):
        for path in sorted((CONFIGS / folder).glob("*.yaml")):
            yield pytest.param([kind], path, id=f"{kind}-{path.stem}")


@pytest.mark.parametrize(("kind", "path"), cases())
def test_our_own_files_are_right_by_the_schema_of_their_kind(capsys, kind, path):
    code, out, _ = run(capsys, "config", "schema", *kind)
    schema = json.loads(out)
    schema.pop("required", None)  # `lake` is given on the command line
    assert code == 0
    content = yaml.safe_load(path.read_text())
    jsonschema.validate({"rules": content} if isinstance(content, list) else content, schema)


def test_a_schema_refuses_a_key_that_is_not_there(capsys):
    schema = json.loads(run(capsys, "config", "schema", "curate", "run")[1])
    with pytest.raises(jsonschema.ValidationError, match="max_clip"):
        jsonschema.validate({"lake": "l", "split": {"max_clip": 3}}, schema)


def test_every_verb_with_settings_has_a_schema(capsys, tmp_path):
    assert run(capsys, "config", "schema", "--output", str(tmp_path))[0] == 0
    names = {path.stem for path in tmp_path.iterdir()}
    assert {"-".join(words) for words in leaves()} - names == {"train-fit", "train-validate", "train-overfit"}


def test_every_setting_comes_as_json_too(capsys):
    code, out, _ = run(capsys, "curate", "run", "--help", "--json")
    told = json.loads(out)
    assert code == 0
    assert {"lake", "split.max_clip_s"} <= {setting["name"] for setting in told["settings"]}


@pytest.mark.parametrize("argv", [["config", "shwo"], ["config", "schema", "genrate"], ["config", "show"]])
def test_a_mistyped_name_is_guessed(capsys, argv):
    code, _, err = run(capsys, *argv)
    assert code == 2
    assert "--help" in err


def test_a_verb_that_has_verbs_tells_them(capsys):
    for asked, got in ((["curate"], "curate: say which verb of it"), (["curate", "rum"], "curate has no verb 'rum'")):
        code, _, err = run(capsys, "config", "show", *asked)
        assert code == 2
        assert f"moviegen config show: {got}; it has " in err
        assert "run" in err.split("it has ")[1]
