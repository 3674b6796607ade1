"""The views say what `curation.sound_buckets` says, over all sounds and cosines on and about the bounds of Table 23."""

from itertools import product

import pytest

from curation.sound_buckets import PAPER_ROWS, sound_bucket, sound_kinds
from curation.stats.duck import ask, open_lake

COSINES = (-0.5, 0.0, 0.05, 0.1, 0.10001, 0.15, 0.2, 0.20001, 0.22, 0.25, 0.25001, 0.3, 0.30001, 0.9, None)
SHARES = (0.0, 0.29, 0.3, 0.9)


def grid() -> dict[str, dict[str, float]]:
    """Clip -> its scores, of every combination."""
    found = {}
    for number, (sound, speech, singing, music, cosine) in enumerate(
        product(SHARES, SHARES, (0.1, 0.5), SHARES, COSINES)
    ):
        scores = {"sound": sound, "speech": speech, "singing": singing, "music": music}
        scores = {f"sound_tags.{name}": value for name, value in scores.items()}
        found[f"{number:032x}"] = scores | ({} if cosine is None else {"sync.cosine": cosine})
    return found


@pytest.fixture(scope="module")
def measured():
    return grid()


@pytest.fixture
def connection(make_lake, known_tables, measured):
    clips = known_tables["clips"][0]
    known_tables["clips"] += [clips | {"clip_id": clip_id} for clip_id in measured]
    known_tables["scores"] += [
        {"clip_id": c, "detector": m.partition(".")[0], "metric": m, "score": s, "detector_version": "1"}
        for c, scores in measured.items()
        for m, s in scores.items()
    ]
    return open_lake(make_lake(known_tables))


def test_each_clip_is_where_table_23_says(connection, measured):
    found = {row["clip_id"]: row for row in ask(connection, "clip_sounds").records()}
    assert set(found) == set(measured), "clips without scores of sound are not in it"
    for clip_id, scores in measured.items():
        kinds, cosine = sound_kinds(scores), scores.get("sync.cosine")
        row = found[clip_id]
        assert frozenset(row["kinds"].split("+")) - {""} == kinds
        assert row["bucket"] == (None if cosine is None else sound_bucket(kinds, cosine, PAPER_ROWS)), (kinds, cosine)
    assert {row["bucket"] for row in found.values()} == {"diegetic", "mixed", "non_diegetic", None}


def test_counts_add_up(connection, measured):
    rows = [row for row in ask(connection, "sound_buckets").records() if row["subset"] == "s"]
    assert sum(row["num_clips"] for row in rows) == len(measured)
    (quiet,) = (row for row in rows if row["kinds"] == "nothing")
    assert quiet["bucket"] == "none"
    assert sum(row["hours"] for row in rows) == pytest.approx(len(measured) * 9 / 3600, abs=0.01)
