import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviegen.contracts.stage import (
    KINDS,
    StageResult,
    decode_stage,
    encode_stage,
    parse_stage_folder,
    read_stage,
    stage_folder,
)


@given(st.builds(StageResult, kind=st.sampled_from(KINDS)))
def test_results_come_back(result):
    assert decode_stage(encode_stage(result)) == result


@given(st.integers(0, 99), st.from_regex(r"[a-z0-9_]+", fullmatch=True))
def test_folders_come_back(number, name):
    assert parse_stage_folder(stage_folder(number, name)) == (number, name)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"kind": "tae"}'])
def test_other_texts_are_refused(text):
    with pytest.raises(ValueError):
        decode_stage(text)


def test_a_folder_without_the_record_is_unfinished(tmp_path):
    assert read_stage(tmp_path) is None
    result = StageResult("tae", "tiny", 10, "a", "model", "b")
    (tmp_path / "stage.json").write_text(encode_stage(result))
    assert read_stage(tmp_path) == result


def test_an_unknown_kind_lists_the_right_ones():
    with pytest.raises(ValueError, match="video_dit"):
        StageResult("vae", "tiny", 10, "a", "model", "b")
