"""Table 23, row by row, and what a subset takes of it."""

import pytest

from curation.sound_buckets import BucketRow, SoundConfig, is_taken, reject_sound, sound_bucket, sound_kinds


class TestBuckets:
    @pytest.mark.parametrize(
        ("kinds", "cosine", "bucket"),
        [
            ("sound", 0.21, "diegetic"),
            ("voice", 0.21, "diegetic"),
            ("voice sound", 0.21, "diegetic"),
            ("voice sound", 0.2, None),
            ("music", 0.31, "diegetic"),
            ("music sound", 0.31, "diegetic"),
            ("voice music sound", 0.31, "diegetic"),
            ("music", 0.2, None),
            ("music", 0.09, "non_diegetic"),
            ("music", 0.1, None),
            ("music sound", 0.2, "mixed"),
            ("voice music sound", 0.2, "mixed"),
            ("music sound", 0.25, None),
            ("music sound", 0.1, None),
            ("voice music", 0.9, None),
            ("", 0.9, None),
        ],
    )
    def test_rows(self, kinds, cosine, bucket):
        assert sound_bucket(frozenset(kinds.split()), cosine) == bucket

    def test_kinds_of_scores(self):
        scores = {"sound_tags.speech": 0.1, "sound_tags.singing": 0.3, "sound_tags.sound": 0.29, "sound_tags.music": 1}
        assert sound_kinds(scores) == {"voice", "music"}
        assert sound_kinds({}) == frozenset()

    def test_a_small_share_of_laid_under_music(self):
        ids = [f"{number:032x}" for number in range(4000)]
        assert all(is_taken(clip_id, 1.0) for clip_id in ids)
        assert not any(is_taken(clip_id, 0.0) for clip_id in ids)
        tenth = {clip_id for clip_id in ids if is_taken(clip_id, 0.1)}
        share = {clip_id for clip_id in ids if is_taken(clip_id, 0.05)}
        assert share <= tenth, "a larger share takes the same clips and more"
        assert len(share) / len(ids) == pytest.approx(0.05, abs=0.012)


def scores(cosine=None, **tags):
    found = {f"sound_tags.{kind}": value for kind, value in tags.items()}
    return found if cosine is None else found | {"sync.cosine": cosine}


class TestReject:
    def test_words_tell_what_was_found(self):
        config = SoundConfig()
        assert reject_sound("c", scores(0.4, speech=0.9), config) == ""
        assert reject_sound("c", scores(0.15, speech=0.9), config) == "voice at cosine 0.150 is in no bucket"
        assert reject_sound("c", scores(0.9, speech=0.2), config) == "nothing at cosine 0.900 is in no bucket"
        assert reject_sound("c", scores(speech=0.9), config).startswith("no sync.cosine")

    def test_laid_under_music_is_thinned(self):
        none = SoundConfig(shares={"diegetic": 1.0, "mixed": 1.0, "non_diegetic": 0.0})
        told = reject_sound("c", scores(0.05, music=0.9), none)
        assert told == "music at cosine 0.050 is non_diegetic, of which 0 is taken"

    def test_another_model_has_other_rows(self):
        config = SoundConfig(rows=(BucketRow("voice", "diegetic", above=0.6),), min_present=0.5)
        assert reject_sound("c", scores(0.61, speech=0.5, music=0.4), config) == ""
        assert reject_sound("c", scores(0.59, speech=0.5), config) == "voice at cosine 0.590 is in no bucket"

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: BucketRow("noise", "diegetic"), "'noise'"),
            (lambda: BucketRow("sound", "loud"), "bucket 'loud'"),
            (lambda: SoundConfig(shares={"diegetic": 1.0}), "no share of 'mixed'"),
            (lambda: SoundConfig(shares={"diegetic": 1.0, "mixed": 2.0, "non_diegetic": 0.0}), "wanted 0..1"),
            (lambda: SoundConfig(min_present=0.0), "min_present is 0.0"),
        ],
    )
    def test_refusals(self, make, message):
        with pytest.raises(ValueError, match=message):
            make()
