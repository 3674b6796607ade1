import pytest

from curation.jobs.parts import Operation, Part
from curation.jobs.settings import changed_settings, record_operation, recorded_operation, refuse_replacement
from moviegen.contracts.lake import Commit, Lake
from moviegen.errors import UsageError


def operation(version: str = "b" * 32, **settings: object) -> Operation:
    return Operation("split", version, ("clips",), "m:f", {"settings": settings, "limits": {}})


@pytest.fixture
def lake(tmp_path) -> Lake:
    """A lake with 7 clips that the settings `old` made."""
    lake = Lake(tmp_path)
    part = Part("clips/batch=b/part-x.parquet", "split", "a" * 32, ("v1",), 7, "0" * 64)
    lake.write_commit(Commit("clips", "b", (part,)))
    return lake


def test_an_operation_is_read_as_it_was_recorded(tmp_path):
    lake, asked = Lake(tmp_path), operation(policy="tile", cuts={"threshold": 27.0})
    record_operation(lake, asked)
    assert recorded_operation(lake, "split", asked.version) == asked
    assert recorded_operation(lake, "split", "c" * 32) is None


def test_clips_of_other_settings_are_refused_with_what_changed(lake):
    record_operation(lake, operation("a" * 32, policy="tile", cuts={"threshold": 27.0, "min_frames": 3}))
    now = operation(policy="one_per_shot", cuts={"threshold": 27.0, "min_frames": 5})
    with pytest.raises(UsageError) as error:
        refuse_replacement(lake, "b", now, replace=False)
    text = str(error.value)
    assert "batch b has 7 clips" in text
    assert "--replace" in text
    assert 'split.policy: "tile" -> "one_per_shot"' in text
    assert "split.cuts.min_frames: 3 -> 5" in text
    assert "threshold" not in text
    assert "they are replaced" in refuse_replacement(lake, "b", now, replace=True)


def test_old_lakes_and_new_code_are_told_apart(lake):
    with pytest.raises(UsageError, match="is not recorded"):
        refuse_replacement(lake, "b", operation(policy="tile"), replace=False)
    record_operation(lake, operation("a" * 32, policy="tile"))
    with pytest.raises(UsageError, match="the same settings, read by another version of split"):
        refuse_replacement(lake, "b", operation(policy="tile"), replace=False)


def test_the_same_settings_and_another_batch_are_let_pass(lake):
    assert refuse_replacement(lake, "b", operation("a" * 32), replace=False) == ""
    assert refuse_replacement(lake, "c", operation(), replace=False) == ""


def test_a_tuple_is_no_change_and_a_new_setting_is_one():
    assert list(changed_settings({"a": [1, 2]}, {"a": (1, 2), "b": None})) == ["split.b: not there -> null"]
