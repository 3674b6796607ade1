"""YAML files that refer to others, what identifies a stage, and messages."""

import json

import pytest

from moviegen.errors import UsageError
from training.config import differences, expand_flags, load_yaml, stage_identity, stage_sha256, weights_sha256
from training.messages import explain


def test_files_are_put_in_place_relative_to_the_file_that_names_them(tmp_path):
    (tmp_path / "sizes").mkdir()
    (tmp_path / "stages").mkdir()
    (tmp_path / "sizes/small.yaml").write_text("dim: 4\nlist: [1, 2]")
    (tmp_path / "stages/one.yaml").write_text("model: {size: ../sizes/small.yaml}\nname: one")
    (tmp_path / "recipe.yaml").write_text("stages:\n- stages/one.yaml\n- {fit: stages/one.yaml}")
    one = {"model": {"size": {"dim": 4, "list": [1, 2]}}, "name": "one"}
    assert load_yaml(tmp_path / "recipe.yaml") == {"stages": [one, {"fit": one}]}


def test_yaml_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "a.yaml").write_text("x: b.yaml")
    with pytest.raises(UsageError, match=r"b\.yaml: no such file"):
        load_yaml(tmp_path / "a.yaml")
    (tmp_path / "b.yaml").write_text("x: {")
    with pytest.raises(UsageError, match=r"b\.yaml: not readable as YAML"):
        load_yaml(tmp_path / "a.yaml")
    (tmp_path / "b.yaml").write_text("x: a.yaml")
    with pytest.raises(UsageError, match="refers to itself"):
        load_yaml(tmp_path / "a.yaml")
    (tmp_path / "b.yaml").write_text("!!python/object/apply:os.mkdir [canary]")
    with pytest.raises(UsageError, match="not readable"):
        load_yaml(tmp_path / "b.yaml")


def test_flags_that_name_files_get_their_content(tmp_path):
    path = tmp_path / "size.yaml"
    path.write_text("dim: 4")
    expanded = expand_flags(["--config", str(path), f"--model.size={path}", "--name", "x"])
    assert expanded == ["--config", '{"dim": 4}', '--model.size={"dim": 4}', "--name", "x"]
    assert json.loads(expanded[1]) == {"dim": 4}


def config(**changes):
    values = {
        "model": {"class_path": "a.Model", "init_args": {"dim": 4, "tae": None}},
        "data": {"class_path": "a.Data", "init_args": {"lake": "/here", "num_workers": 0, "seed": 1}},
        "trainer": {"max_steps": 5, "precision": None, "devices": 1},
        "ema": {"decay": 0.9},
        "seed_everything": 0,
    }
    for path, value in changes.items():
        *keys, last = path.split("__")
        place = values
        for key in keys:
            place = place[key]
        place[last] = value
    return values


def identity(**changes):
    return stage_identity(config(**changes), "digest", ("lake",), ("tae",))


def test_identity_is_what_is_computed_not_where_or_how_fast():
    assert identity(data__init_args__lake="/there", data__init_args__num_workers=4) == identity()
    assert identity(trainer__devices=2, trainer__max_steps=9) == identity()
    assert identity(model__init_args__execution={"checkpointing": {"ffn": 2}}) == identity()
    for change in (
        {"model__init_args__dim": 8},
        {"data__init_args__seed": 2},
        {"trainer__precision": "bf16"},
        {"ema__decay": 0.5},
    ):
        assert identity(**change) != identity()
    assert stage_sha256(identity(), {"max_steps": 5}) != stage_sha256(identity(), {"max_steps": 6})


def test_model_folders_count_by_their_weights(trained_tae, encoded, tmp_path):
    import shutil

    copy = shutil.copytree(trained_tae / "model", tmp_path / "copy")
    assert identity(model__init_args__tae=str(copy)) == identity(model__init_args__tae=str(trained_tae / "model"))
    assert identity(model__init_args__tae=str(encoded / "model")) != identity(model__init_args__tae=str(copy))
    with pytest.raises(UsageError, match="no model folder"):
        weights_sha256(tmp_path / "nothing")


def test_differences_name_each_value():
    old, new = {"a": {"b": 1, "c": [1]}, "d": 1}, {"a": {"b": 2, "c": [1]}, "e": 1}
    assert list(differences(old, new)) == ["a.b: 1 -> 2", "d: 1 -> None", "e: None -> 1"]


MESSAGE = """Parser key "model":
  Does not validate against any of the Union subtypes
  Subtypes: [<class 'lightning.pytorch.core.module.LightningModule'>, <class 'NoneType'>]
  Errors:
    - Problem with given class_path 'training.modules.tae.TAEModule':
        {reason}
    - Expected a <class 'NoneType'>
  Given value type: <class 'dict'>
  Given value: {{'class_path': 'x'}}"""


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("Group 'losses' does not accept option 'opk'", "model: Group 'losses' does not accept option 'opk'; did you mean 'losses.opl'?"),
        ("unrecognized arguments: --optimizer.lrr=1", "model: unrecognized arguments: --optimizer.lrr=1; did you mean 'optimizer.lr'?"),
        ("Option 'init_form' is not accepted", "model: Option 'init_form' is not accepted; did you mean 'init_from'?"),
        ("8 channels do not divide into 5 norm_groups", "model: 8 channels do not divide into 5 norm_groups"),
    ],
)  # fmt: skip
def test_the_parsers_message_becomes_one_line(reason, text):
    assert explain(MESSAGE.format(reason=reason)) == text


def test_names_at_the_top_are_guessed_from_the_known_ones():
    message = "Subcommand 'fit' does not accept option 'trainer.max_stepz'"
    assert explain(message, ["trainer.max_steps", "data"]).endswith("did you mean 'trainer.max_steps'?")
