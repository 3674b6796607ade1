import pytest

from curation.captioning.plan import place_of, read_audio_plan, read_plan
from curation.config import CaptionConfig
from moviegen.errors import UsageError

SERVED = {"captioner": "endpoint", "url": "http://127.0.0.1:1/v1", "model": "m"}
MIX = {"llama_8b": SERVED | {"share": 0.7}, "llama_70b": SERVED | {"share": 0.3}, "template": {}}


def clip_ids(number: int) -> list[str]:
    return [f"{n:032x}" for n in range(number)]


def test_a_plain_entry_sees_every_clip():
    plan = read_plan({"source": {}, "template": None})
    assert [(e.label, e.captioner, e.params) for e in plan] == [("source", "source", {}), ("template", "template", {})]
    assert all(entry.takes(clip_id) for entry in plan for clip_id in clip_ids(50))


def test_each_clip_is_dealt_to_one_of_the_mix_in_its_shares():
    small, large, template = read_plan(MIX)
    dealt = [(small.takes(c), large.takes(c), template.takes(c)) for c in clip_ids(20000)]
    assert {(a, b) for a, b, _ in dealt} == {(True, False), (False, True)}
    assert all(c for _, _, c in dealt)
    share = sum(a for a, _, _ in dealt) / len(dealt)
    assert share == pytest.approx(0.7, abs=3 * (0.7 * 0.3 / 20000) ** 0.5 + 1e-9)


def test_a_clip_stays_where_it_was_dealt_and_a_new_share_moves_only_the_edge():
    small, *_ = read_plan(MIX)
    wider, *_ = read_plan(MIX | {"llama_8b": SERVED | {"share": 0.8}, "llama_70b": SERVED | {"share": 0.2}})
    moved = [c for c in clip_ids(2000) if small.takes(c) != wider.takes(c)]
    assert all(0.7 <= place_of(c) < 0.8 for c in moved)


def test_three_shares_that_do_not_add_up_in_binary_leave_no_clip_out():
    plan = read_plan({f"m{n}": SERVED | {"share": 1 / 3} for n in range(3)})
    assert plan[-1].dealt[1] == 1.0
    assert all(sum(entry.takes(c) for entry in plan) == 1 for c in clip_ids(3000))


def test_several_captions_have_labels_and_seeds_of_their_own_and_the_same_clips():
    entry = SERVED | {"captions": 3, "temperature": 0.8, "seed": 10, "share": 1}
    plan = read_plan({"llama": entry})
    assert [(e.label, e.params["seed"], e.base, e.dealt) for e in plan] == [
        ("llama", 10, "llama", (0.0, 1.0)), ("llama.2", 11, "llama", (0.0, 1.0)), ("llama.3", 12, "llama", (0.0, 1.0)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("captioners", "message"),
    [
        (
            {"a": SERVED | {"share": 0.7}, "b": SERVED | {"share": 0.2}},
            r"shares add up to 0\.9, wanted 1: a 0\.7, b 0\.2",
        ),
        ({"a": SERVED | {"share": 0}}, r"a\.share is 0"),
        ({"a": SERVED | {"share": True}}, r"a\.share is True"),
        ({"a": SERVED | {"captions": 0}}, r"a\.captions is 0, wanted 1\.\.16"),
        ({"a": SERVED | {"captions": 2}}, "at temperature 0 all 2 captions would be the same"),
        ({"template": {"captions": 2}}, "template always says the same of a clip"),
        ({"a/b": SERVED}, "use letters, digits"),
        ({"a": SERVED | {"captions": 2, "temperature": 1}, "a.2": SERVED}, r"two entries would write as 'a\.2'"),
        ({"a": {"captioner": 3}}, "a.captioner is 3"),
    ],
)
def test_refusals(captioners, message):
    with pytest.raises(UsageError, match=message):
        read_plan(captioners)


HEARS = {"tagger": "none", "quality_weights": "none"}


class TestAudio:
    def test_what_is_heard_has_a_place_of_its_own(self):
        [entry] = read_audio_plan({"audio_template": HEARS})
        assert (entry.label, entry.is_audio, entry.needs_cleaning) == ("audio_template", True, False)
        with pytest.raises(UsageError, match=r"captioners.ears writes what is heard; its place is caption.audio_capt"):
            read_plan({"ears": HEARS | {"captioner": "audio_template"}})
        with pytest.raises(UsageError, match=r"audio_captioners.template: template writes no audio caption"):
            read_audio_plan({"template": {}})

    def test_one_name_for_both_is_refused(self):
        with pytest.raises(ValueError, match="'a' is in captioners and in audio_captioners"):
            CaptionConfig(captioners={"a": {}}, audio_captioners={"a": {}})
