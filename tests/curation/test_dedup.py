import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.dedup import (
    SAME_LOOK,
    DedupConfig,
    Match,
    asks,
    best_shift,
    choose_copies,
    clip_quality,
    describe_copy,
    distinct_looks,
    find_matches,
    group_copies,
)
from curation.embedders.base import CopyRules, scale_to_one
from curation.neighbours import make_index, near_pairs
from curation.vectors import ClipVectors

RULES = CopyRules(0.9)
WIDTH = 48


def looks(seed: int, num_frames: int) -> np.ndarray:
    """Frames that have nothing in common."""
    return scale_to_one(np.random.default_rng(seed).standard_normal((num_frames, WIDTH)))


def noisy(vectors: np.ndarray, seed: int = 0, noise: float = 0.03) -> np.ndarray:
    return scale_to_one(vectors + noise * np.random.default_rng(seed).standard_normal(vectors.shape))


def matches(clips: dict[str, np.ndarray], rules: CopyRules = RULES, order=None, **options) -> list[Match]:
    ids = np.array([name for name, vectors in clips.items() for _ in vectors])
    places = np.concatenate([np.arange(len(vectors)) for vectors in clips.values()])
    vectors = np.concatenate(list(clips.values()))
    order = np.arange(len(ids)) if order is None else order
    return find_matches(ClipVectors.sorted_from(ids[order].tolist(), places[order], vectors[order]), rules, **options)


def pairs(found: list[Match]) -> set[tuple[str, str]]:
    return {(match.first, match.second) for match in found}


class TestMatches:
    def test_a_noisy_copy_matches_and_others_do_not(self):
        a = looks(1, 10)
        [found] = matches({"a": a, "b": noisy(a), "c": looks(2, 10)})
        assert (found.first, found.second, found.share, found.is_mirrored) == ("a", "b", 1.0, False)
        expected = (a * noisy(a)).sum(axis=1).mean()
        assert found.similarity == pytest.approx(expected, abs=1e-4)

    @pytest.mark.parametrize("part", [slice(3, None), slice(0, 5), slice(2, 7)])
    def test_a_trimmed_copy_matches(self, part):
        a = looks(1, 10)
        [found] = matches({"a": a, "b": a[part]})
        assert found.share == 1.0

    @pytest.mark.parametrize(("num_shared", "is_match"), [(1, False), (4, False), (5, True), (6, True)])
    def test_a_shared_title_is_no_copy_but_half_a_clip_is(self, num_shared, is_match):
        a, b = looks(1, 10), looks(2, 10)
        b[:num_shared] = a[:num_shared]
        assert bool(matches({"a": a, "b": b})) == is_match

    def test_the_same_frames_in_another_order_are_no_copy(self):
        a = looks(1, 12)
        assert matches({"a": a, "b": a[np.random.default_rng(0).permutation(12)]}) == []

    def test_frames_that_tell_nothing_are_no_evidence_and_still_count_as_length(self):
        a, b = looks(1, 10), looks(2, 10)
        blank = np.eye(WIDTH, dtype=np.float32)[0]
        a[:8] = b[:8] = blank
        b[8:] = a[8:]
        assert matches({"a": a, "b": b}) != []
        assert matches({"a": a, "b": b}, CopyRules(0.9, is_telling=lambda v: v[:, 0] < 0.99)) == []

    def test_a_mirrored_copy_matches_only_where_mirrors_are_looked_at(self):
        a = looks(1, 10)
        signs = np.where(np.arange(WIDTH) % 2, -1, 1).astype(np.float32)
        clips = {"a": a, "b": noisy(a * signs)}
        assert matches(clips) == []
        [found] = matches(clips, CopyRules(0.9, mirrored=lambda v: v * signs))
        assert (found.is_mirrored, found.share) == (True, 1.0)

    def test_still_clips_match_and_are_looked_up_once(self):
        a = np.repeat(looks(1, 1), 200, axis=0)
        assert pairs(matches({"a": a, "b": noisy(a, noise=0.01), "c": looks(3, 200)})) == {("a", "b")}

    def test_no_clip_and_one_clip_have_no_match(self):
        none = ClipVectors.sorted_from([], np.zeros(0, np.int32), np.zeros((0, 0), np.float32))
        assert find_matches(none, CopyRules(0.9, is_telling=lambda v: v[:, 0] > 2)) == []
        assert matches({"a": looks(1, 3)}) == []
        assert matches({"a": looks(1, 3), "b": looks(1, 3)}, CopyRules(0.9, is_telling=lambda v: v[:, 0] > 2)) == []

    @given(st.integers(0, 10_000))
    def test_the_order_of_rows_changes_nothing(self, seed):
        a, b = looks(1, 6), looks(2, 4)
        clips = {"a": a, "b": noisy(a, 1), "c": noisy(a[2:], 2), "d": b, "e": noisy(b, 3), "f": looks(5, 5)}
        order = np.random.default_rng(seed).permutation(sum(map(len, clips.values())))
        assert matches(clips, order=order) == matches(clips)


class TestShift:
    def test_the_shift_with_most_matches_wins_and_places_may_have_gaps(self):
        cosines = np.array([[0.99, 0.2, 0.2], [0.2, 0.95, 0.2], [0.97, 0.2, 0.91]])
        assert best_shift(cosines, np.array([0, 1, 2]), np.array([3, 4, 5]), 0.9) == (3, 0.95)
        assert best_shift(cosines, np.array([0, 1, 2]), np.array([3, 5, 9]), 0.9)[0] == 1

    def test_nothing_above_the_threshold_is_nothing(self):
        assert best_shift(np.full((2, 3), 0.5), np.arange(2), np.arange(3), 0.6) == (0, 0.0)
        assert best_shift(np.zeros((0, 3)), np.arange(0), np.arange(3), 0.6) == (0, 0.0)

    @given(st.integers(0, 10_000))
    def test_it_is_the_same_seen_from_the_other_clip(self, seed):
        rng = np.random.default_rng(seed)
        cosines = rng.uniform(0, 1, (rng.integers(1, 8), rng.integers(1, 8)))
        a, b = np.arange(cosines.shape[0]), np.arange(cosines.shape[1])
        assert best_shift(cosines, a, b, 0.7) == best_shift(cosines.T, b, a, 0.7)


class TestNeighbours:
    def test_lists_find_what_comparing_all_finds(self):
        a = looks(1, 3000)
        vectors = np.concatenate([a, noisy(a[:300], 4, 0.05)])
        rows = np.arange(len(vectors))
        found = [
            pairs_of(near_pairs(index, vectors, rows, 0.8, 10))
            for index in (make_index(vectors, rows), make_index(vectors, rows, exact_up_to=100))
        ]
        cosines = vectors @ vectors.T
        assert found[0] == {(int(q), int(r)) for q, r in zip(*np.nonzero(cosines >= 0.8), strict=True)}
        assert len(found[0]) == 3300 + 600
        assert len(found[1] & found[0]) >= 0.995 * len(found[0])
        assert found[1] <= found[0]

    def test_chunks_of_queries_are_counted_on(self, monkeypatch):
        monkeypatch.setattr("curation.neighbours.CHUNK", 7)
        vectors, rows = looks(1, 40), np.arange(40)
        found = [*near_pairs(make_index(vectors, rows), vectors, rows, 0.999, 3)]
        assert len(found) == 6
        assert pairs_of(found) == {(row, row) for row in range(40)}

    def test_some_rows_ask_some_others_and_may_be_turned(self):
        vectors = looks(1, 20)
        index = make_index(vectors, np.arange(5, 20))
        assert pairs_of(near_pairs(index, vectors, np.arange(10), 0.999, 3)) == {(row, row - 5) for row in range(5, 10)}
        turned = near_pairs(index, -vectors, np.arange(10), 0.999, 3, lambda rows: -rows)
        assert pairs_of(turned) == {(row, row - 5) for row in range(5, 10)}


def pairs_of(chunks) -> set[tuple[int, int]]:
    return {(int(q), int(r)) for asking, found in chunks for q, r in zip(asking, found, strict=True)}


class TestLooks:
    @given(st.integers(0, 10_000))
    def test_a_look_is_unlike_those_taken_before_it(self, seed):
        """Against the definition, row by row, for clips of several lengths."""
        rng = np.random.default_rng(seed)
        few = looks(seed, 4)
        clips = [few[rng.integers(0, 4, rng.integers(1, 9))] for _ in range(6)]
        made = ClipVectors.sorted_from(
            [f"{n}" for n, each in enumerate(clips) for _ in each],
            np.concatenate([np.arange(len(each)) for each in clips]),
            np.concatenate(clips),
        )
        telling = rng.random(len(made.vectors)) < 0.7
        taken = distinct_looks(made, telling)
        for clip in range(len(made)):
            kept = []
            for row, vector in enumerate(made.vectors[made.rows(clip)]):
                is_new = telling[made.starts[clip] + row] and all(vector @ other < SAME_LOOK for other in kept)
                kept += [vector] if is_new else []
                assert taken[made.starts[clip] + row] == is_new

    def test_of_many_looks_every_second_asks_of_few_each(self):
        owners = np.array([0, 0, 0, 3, 3, 3, 3, 3, 3, 4])
        assert asks(owners).tolist() == [True] * 3 + [True, False] * 3 + [True]

    @pytest.mark.parametrize("shift", range(4))
    def test_a_copy_is_found_though_half_of_its_looks_ask_nothing(self, shift):
        a = looks(1, 12)
        b = looks(2, 12)
        b[shift : shift + 6] = noisy(a[5:11])
        assert pairs(matches({"a": a, "b": b, "c": looks(3, 9)})) == {("a", "b")}


class TestEarlier:
    def test_earlier_clips_are_not_compared_with_each_other(self):
        a = looks(1, 10)
        clips = {"a": a, "b": noisy(a, 1), "c": noisy(a, 2)}
        assert pairs(matches(clips, earlier={"a", "b"})) == {("a", "c"), ("b", "c")}
        assert matches(clips, earlier={"a", "b", "c"}) == []

    def test_what_is_kept_earlier_stays_however_poor_and_names_the_nearest(self):
        found = [match("a", "c", 0.91), match("b", "c", 0.95), match("c", "d", 0.99)]
        copies = choose_copies(found, {"c": (900,), "d": (900,)}, {"a", "b"})
        assert {clip_id: copy.kept for clip_id, copy in copies.items()} == {"c": "b", "d": "a"}
        assert describe_copy("d", copies["d"]).startswith("copy of a, through c: similarity 0.99")

    def test_without_earlier_ones_in_the_group_the_best_is_kept(self):
        copies = choose_copies([match("c", "d"), match("a", "e")], {"c": (1,), "d": (2,), "e": (3,)}, {"a"})
        assert {clip_id: copy.kept for clip_id, copy in copies.items()} == {"c": "d", "e": "a"}


def match(first: str, second: str, similarity: float = 0.9, **values) -> Match:
    return Match(first, second, similarity, **({"share": 1.0, "is_mirrored": False} | values))


class TestGroups:
    def test_clips_connected_through_others_are_one_group(self):
        found = [match("d", "e"), match("a", "c"), match("b", "c"), match("f", "g"), match("e", "g")]
        assert group_copies(found) == [["a", "b", "c"], ["d", "e", "f", "g"]]
        assert group_copies(found[::-1]) == group_copies(found)

    @given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=60))
    def test_groups_are_what_a_flood_fill_finds(self, edges):
        found = [match(f"{min(e):02d}", f"{max(e):02d}") for e in edges if e[0] != e[1]]
        near: dict[str, set[str]] = {}
        for m in found:
            near.setdefault(m.first, set()).add(m.second)
            near.setdefault(m.second, set()).add(m.first)
        groups, seen = [], set()
        for clip_id in sorted(near):
            todo, group = [clip_id], set()
            while todo:
                if (now := todo.pop()) not in group:
                    group.add(now)
                    todo += near[now]
            if clip_id not in seen:
                groups.append(sorted(group))
                seen |= group
        assert group_copies(found) == groups


class TestChoice:
    def test_resolution_then_bitrate_then_length_then_the_id(self):
        found = [match("a", "b"), match("b", "c"), match("c", "d")]
        best = {"a": (100, 5, 9), "b": (200, 5, 8), "c": (200, 6, 7), "d": (200, 6, 8)}
        assert {c.kept for c in choose_copies(found, best).values()} == {"d"}
        assert {c.kept for c in choose_copies(found, dict.fromkeys("abcd", (1, 1, 1))).values()} == {"a"}
        assert set(choose_copies(found, best)) == {"a", "b", "c"}

    def test_the_reason_names_the_kept_clip_and_the_way_to_it(self):
        found = [match("a", "b", 0.95, share=0.75, is_mirrored=True), match("b", "c", 0.91)]
        copies = choose_copies(found, {"a": (3,), "b": (2,), "c": (1,)})
        assert describe_copy("b", copies["b"]) == "copy of a: similarity 0.9500 over 75% of its frames, mirrored"
        assert describe_copy("c", copies["c"]) == "copy of a, through b: similarity 0.9100 over 100% of its frames"

    def test_quality_is_pixels_then_bytes_a_second_then_seconds(self):
        clip = {"width": 640, "height": 360, "start_pts": 100, "end_pts": 400, "tb_num": 1, "tb_den": 100}
        assert clip_quality(clip, {"size_bytes": 1000, "duration": 4.0}) == (230400.0, 250.0, 3.0)
        assert clip_quality(clip, {"size_bytes": 1200, "duration": None}) == (230400.0, 400.0, 3.0)


@pytest.mark.parametrize("values", [{"threshold": 0.0}, {"threshold": 1.1}, {"min_share": 0.0}, {"min_share": 1.5}])
def test_a_bound_out_of_range_is_refused(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        DedupConfig(**values)
