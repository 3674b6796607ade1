import pytest

from moviegen.contracts.tables import CAPTIONS, TABLES, VIDEOS

ROW = {"clip_id": "c", "captioner": "source", "text": "a dog", "camera_motion": None, "captioner_version": "1"}


def test_keys_are_columns_and_never_null():
    for table in TABLES.values():
        for name in table.key:
            assert not table.column(name).nullable, (table.name, name)


def test_every_column_says_what_it_means():
    assert all(column.meaning for table in TABLES.values() for column in table.columns)


def test_a_right_row_passes():
    CAPTIONS.check_row(ROW)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"text": None}, "text is null"),
        ({"text": 3}, "text is int"),
        ({"colour": "red"}, "colour"),
        ({"text": True}, "text is bool"),
    ],
)
def test_a_wrong_row_names_table_and_column(change, word):
    with pytest.raises(ValueError, match=f"captions: .*{word}"):
        CAPTIONS.check_row(ROW | change)


def test_an_unknown_column_lists_the_right_ones():
    with pytest.raises(KeyError, match="video_codec"):
        VIDEOS.column("codec")
