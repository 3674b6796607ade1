"""Captions from endpoints that fail, through the job: no clip lost, none crossed, and moving a threshold asks nobody again."""

from dataclasses import replace
from fractions import Fraction

import pytest

from curation.captioning.cleaning import CleaningConfig
from curation.captioning.plan import read_plan
from curation.captioning.quality import QualityConfig
from curation.check import check_lake
from curation.config import CaptionConfig
from curation.rows import read_table
from moviegen.contracts.lake import Lake
from moviegen.media.write import write_video
from moviegen.testing.chat_server import PASSING, ChatServer, caption_text, numbered_frame

NUM_CLIPS = 16


@pytest.fixture(scope="module")
def numbered_lake(mini, repo_root, tmp_path_factory):
    """A config whose lake holds clips with a number in every frame, kept by a rule that asks nothing of them; and their numbers."""
    folder = tmp_path_factory.mktemp("numbered")
    for number in range(NUM_CLIPS):
        write_video(folder / f"{number:03d}.mp4", [numbered_frame(number, 160, 160)] * 43, Fraction(10), crf=12)
    (folder / "rules.yaml").write_text("rules:\n  - {name: all, metric: probe.duration, min: 0}\n")
    lake = tmp_path_factory.mktemp("lake") / "lake"
    detectors = (
        "--score.detectors",
        "{probe: {}, camera: {}}",
        "--filter.rules",
        str(folder / "rules.yaml"),
        "--dedup",
        "null",
    )
    config = mini.config(lake, folder, *detectors)
    mini.curate(config, ["ingest", "split", "score", "filter"])
    videos = {row["video_id"]: int(row["uri"][-7:-4]) for row in read_table(Lake(lake), "videos")}
    numbers = {row["clip_id"]: videos[row["video_id"]] for row in read_table(Lake(lake), "clips")}
    assert sorted(numbers.values()) == list(range(NUM_CLIPS))
    return config, numbers


def served(server, **more):
    quick = {"num_frames": 2, "timeout_s": 1.0, "first_wait_s": 0.05, "in_flight": 4}
    return {"captioner": "endpoint", "url": server.url} | quick | more


def table(config, name):
    return read_table(Lake(config.lake), name)


def with_captioners(config, captioners, **more):
    return replace(config, caption=CaptionConfig(captioners=captioners, **more))


def test_a_mix_of_failing_servers_loses_and_crosses_nothing(mini, numbered_lake):
    config, numbers = numbered_lake

    def fault(number, tries):
        if number % 5 == 4:
            return "refusal"
        return PASSING[number % len(PASSING)] if tries == 1 else None

    with ChatServer(fault) as small, ChatServer(fault) as large:
        captioners = {
            "small": served(small, model="8b", share=0.7),
            "large": served(large, model="70b", share=0.3, max_side_px=160),
            "template": {},
        }
        mixed = with_captioners(config, captioners)
        mini.curate(mixed, ["caption"])
        asked = sum(small.tries.values()) + sum(large.tries.values())
        assert not mini.curate(mixed, ["caption"]).did_work
        strict = with_captioners(config, captioners, cleaning=CleaningConfig(min_words=100))
        mini.curate(strict, ["caption", "shard"])
        rejected = {
            row["input_id"] for row in table(strict, "failures") if row["stage"].startswith("caption-rejected:")
        }
        samples = table(strict, "samples")
        mini.curate(mixed, ["caption", "shard"])
        assert asked == sum(small.tries.values()) + sum(large.tries.values()), "another threshold asks nobody again"

    plan = read_plan(captioners)
    captions = {(row["clip_id"], row["captioner"]): row["text"] for row in table(mixed, "captions")}
    failures = {(row["input_id"], row["stage"]): row["error"] for row in table(mixed, "failures")}
    for clip_id, number in numbers.items():
        label = next(entry.label for entry in plan if entry.takes(clip_id))
        if number % 5 == 4:
            assert failures[clip_id, f"caption:{label}"] == "RefusedError"
        else:
            assert captions[clip_id, label] == caption_text(number)
    assert len(failures) == sum(number % 5 == 4 for number in numbers.values())
    assert rejected == {c for c, n in numbers.items() if n % 5 != 4}
    assert {row["captioner"] for row in samples} == {"template"}, "who is rejected is passed on, not lost"
    taken = {row["clip_id"]: row["caption"] for row in table(mixed, "samples")}
    assert set(taken) == set(numbers)
    assert all(taken[c] == caption_text(n) for c, n in numbers.items() if n % 5 != 4)
    assert check_lake(config.lake) == []


def test_several_captions_and_the_camera_before_them(mini, numbered_lake):
    config, numbers = numbered_lake
    with ChatServer() as server:
        captioners = {"several": served(server, model="m", captions=3, temperature=1.0), "template": {}}
        several = with_captioners(config, captioners, camera_min_confidence=0.5)
        mini.curate(several, ["caption", "shard"])
        assert set(server.tries.values()) == {3}
    written = [row for row in table(several, "captions") if row["captioner"].startswith("several")]
    assert sorted({row["captioner"] for row in written}) == ["several", "several.2", "several.3"]
    assert len(written) == 3 * len(numbers)
    scores = {row["clip_id"]: row["score"] for row in table(several, "scores") if row["metric"] == "camera.static"}
    for row in table(several, "samples"):
        sure = scores.get(row["clip_id"], 0) >= 0.5
        assert row["caption"] == ("Static shot. " if sure else "") + caption_text(numbers[row["clip_id"]])
    assert any(score >= 0.5 for score in scores.values())
    assert check_lake(config.lake) == []


def test_a_server_that_is_gone_ends_the_run_and_the_next_goes_on(mini, numbered_lake):
    from moviegen.errors import UsageError

    config, numbers = numbered_lake
    with ChatServer() as server:
        captioners = {"late": served(server, model="late", max_tries=1, max_failed_in_a_row=2), "template": {}}
        gone = with_captioners(config, {"late": captioners["late"] | {"url": "http://127.0.0.1:9/v1"}, "template": {}})
        with pytest.raises(UsageError, match="start the same command again"):
            mini.curate(gone, ["caption"])
        mini.curate(with_captioners(config, captioners), ["caption"])
    found = {row["clip_id"]: row["text"] for row in table(config, "captions") if row["captioner"] == "late"}
    assert found == {clip_id: caption_text(number) for clip_id, number in numbers.items()}


@pytest.fixture(scope="module")
def tiny_clip(tmp_path_factory):
    """A tiny CLIP of random weights known to open_clip."""
    import json

    open_clip = pytest.importorskip("open_clip")
    torch = pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("clip")
    text = {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
    vision = {"image_size": 32, "layers": 1, "width": 64, "patch_size": 8}
    (folder / "tiny-e2e.json").write_text(json.dumps({"embed_dim": 16, "vision_cfg": vision, "text_cfg": text}))
    open_clip.add_model_config(folder / "tiny-e2e.json")
    torch.manual_seed(0)
    torch.save(open_clip.create_model("tiny-e2e", pretrained=None).state_dict(), folder / "clip.pt")
    return {"clip_model": "tiny-e2e", "clip_weights": folder / "clip.pt", "count": 2}


def test_clip_judges_captions_and_a_bound_passes_clips_on(mini, numbered_lake, tiny_clip):
    config, numbers = numbered_lake
    with ChatServer() as server:
        captioners = {"judged": served(server, model="m"), "template": {}}
        judged = with_captioners(config, captioners, quality=QualityConfig(**tiny_clip))
        mini.curate(judged, ["caption"])
        assert not mini.curate(judged, ["caption"]).did_work
        scores = {
            r["clip_id"]: r["score"] for r in table(config, "scores") if r["metric"] == "caption-judged.similarity"
        }
        assert set(scores) == set(numbers)
        bound = sorted(scores.values())[NUM_CLIPS // 2]
        bounded = with_captioners(config, captioners, quality=QualityConfig(**tiny_clip, min_similarity=bound))
        session = mini.curate(bounded, ["caption", "shard"])
        done = {o.operation: o.num_now for o in session.outcomes}
        assert set(server.tries.values()) == {1}
        assert done["caption-quality:judged"] == 0, "another bound judges nothing again"
    low = {clip_id for clip_id, score in scores.items() if score < bound}
    assert low
    taken = {row["clip_id"]: row["captioner"] for row in table(config, "samples")}
    assert taken == {clip_id: "template" if clip_id in low else "judged" for clip_id in numbers}
    rejected = {
        r["input_id"]: r["message"] for r in table(config, "failures") if r["stage"] == "caption-rejected:judged"
    }
    assert set(rejected) == low
    assert all(message.startswith("similarity (") for message in rejected.values())
    assert check_lake(config.lake) == []
