from types import SimpleNamespace

import numpy as np
import pytest

from curation.concepts import BalanceConfig
from curation.jobs import resample as module
from curation.jobs.resample import resample
from curation.vectors import ClipVectors
from moviegen.errors import UsageError

BALANCE = BalanceConfig(embedder="toy", num_clusters=2, keep_fraction=0.5, human_metric="objects.person_count")
CONFIG = SimpleNamespace(balance=BALANCE, subset="s")
COMMON, RARE = 90, 10


@pytest.fixture
def batch(monkeypatch):
    """A hundred clips of two concepts, a few with people, and one more whose embedding failed."""
    ids = [f"{number:032x}" for number in range(COMMON + RARE)]
    rng = np.random.default_rng(0)
    vectors = np.repeat(np.eye(8)[:2], (COMMON, RARE), axis=0) + rng.normal(0, 0.01, (len(ids), 8))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    def load(lake, batches, wanted):
        assert (batches, wanted.embedder, wanted.version) == (["b"], "toy", "v1")
        rows = [number for number, clip_id in enumerate(ids) if clip_id in wanted.clips]
        return ClipVectors.sorted_from([ids[row] for row in rows], np.zeros(len(rows), np.int32), vectors[rows])

    monkeypatch.setattr(module, "load_vectors", load)
    monkeypatch.setattr(module, "_version", lambda config: "v1")
    everyone = [*ids, "f" * 32]
    return SimpleNamespace(
        lake=None,
        name="b",
        clips={clip_id: {"width": 16, "height": 9} for clip_id in everyone},
        scores={clip_id: {"objects.person_count": float(int(clip_id[-2:], 16) % 10 == 0)} for clip_id in everyone},
        failed_embeddings=lambda embedder: {"f" * 32},
        failed_detectors={},
        ids=everyone,
    )


def rows_of(batch, rejected=()):
    blank = {"subset": "s", "detail": "", "skipped": ""}
    selection = [
        blank | {"clip_id": clip_id, "keep": clip_id not in rejected, "reason": "text" if clip_id in rejected else ""}
        for clip_id in batch.ids
    ]
    return {"rules": [{"rule": "text", "subset": "s"}], "selection": selection}


def test_common_concepts_give_more_and_the_rest_is_left_alone(batch):
    rejected = batch.ids[:5]
    made = resample(rows_of(batch, rejected), batch, CONFIG)
    assert [row["rule"] for row in made["rules"]] == ["text", "concept"]
    by_id = {row["clip_id"]: row for row in made["selection"]}
    assert set(by_id) == set(batch.ids) - {"f" * 32}, "what failed is not kept, nor rejected"
    assert all(by_id[clip_id]["reason"] == "text" for clip_id in rejected)
    left = [row for row in made["selection"] if row["reason"] != "text"]
    assert sum(row["keep"] for row in left) == pytest.approx(len(left) / 2, abs=1)
    rare = [by_id[clip_id]["keep"] for clip_id in batch.ids[COMMON : COMMON + RARE]]
    common = [by_id[clip_id]["keep"] for clip_id in batch.ids[5:COMMON]]
    assert np.mean(rare) > np.mean(common)
    assert {row["reason"] for row in left if not row["keep"]} == {"concept"}
    assert all("concept" in row["detail"] for row in left if not row["keep"])


def test_each_clip_left_has_a_row_about_its_concept(batch):
    made = resample(rows_of(batch, batch.ids[:5]), batch, CONFIG)
    rows = {row["clip_id"]: row for row in made["clip_concepts"]}
    assert set(rows) == set(batch.ids[5:-1]), "of what failed nothing is known"
    humans = {clip_id for clip_id in rows if batch.scores[clip_id]["objects.person_count"]}
    assert {clip_id for clip_id, row in rows.items() if row["is_human"]} == humans
    common = {rows[clip_id]["concept"] for clip_id in batch.ids[5:COMMON]}
    rare = {rows[clip_id]["concept"] for clip_id in batch.ids[COMMON : COMMON + RARE]}
    assert (common, rare) == ({0}, {1})
    others = [clip_id for clip_id in batch.ids[5:COMMON] if clip_id not in humans]
    assert {rows[clip_id]["num_alike"] for clip_id in others} == {len(others)}
    kept = sum(row["keep"] for row in made["selection"] if row["clip_id"] in others)
    assert kept / len(others) == pytest.approx(rows[others[0]]["share"], abs=1 / len(others))


def test_people_keep_their_share(batch):
    made = resample(rows_of(batch), batch, CONFIG)
    humans = [row["keep"] for row in made["selection"] if batch.scores[row["clip_id"]]["objects.person_count"]]
    assert np.mean(humans) == pytest.approx(0.5, abs=0.1)


def test_where_the_detector_of_people_failed_the_clip_has_failed(batch):
    batch.scores[batch.ids[3]] = {}
    batch.failed_detectors[batch.ids[3]] = {"objects"}
    batch.failed_detectors[batch.ids[4]] = {"ocr"}
    made = resample(rows_of(batch), batch, CONFIG)
    assert {row["clip_id"] for row in made["selection"]} == set(batch.ids[:-1]) - {batch.ids[3]}


def test_a_clip_without_vectors_or_without_the_score_is_an_error_that_says_what_to_run(batch):
    batch.ids.append("e" * 32)
    batch.scores["e" * 32], batch.clips["e" * 32] = {}, {"width": 1, "height": 1}
    with pytest.raises(UsageError, match=r"1 of 101 kept clips have no vectors of toy, such as e.*curate embed"):
        resample(rows_of(batch), batch, CONFIG)
    batch.ids.pop()
    batch.scores[batch.ids[0]] = {}
    with pytest.raises(UsageError, match=r"clip 0+ has no score objects\.person_count; add its detector"):
        resample(rows_of(batch), batch, CONFIG)
