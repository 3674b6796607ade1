"""No gradual transition of the real media lies in a clip, with clips of half a second and more so that there are many."""

import pytest

from curation.clips import SplitConfig, split_video

pytestmark = pytest.mark.data

FILES = ("composed/transitions_av1.webm", "nasa_multistream.mp4", "sintel_trailer_30s.mp4", "psd_testvideo_fades.mp4")

TOLERANCE = 2
"""Frames that the truth's ends may be off."""

NO_TRANSITION = {"title_card_on_black", "fade_out_unfinished"}
"""Words on black, which no shot gives way to, and a fade that the file's end cuts off half way."""


@pytest.mark.parametrize("name", FILES)
def test_no_gradual_transition_lies_in_a_clip(media_dir, media_truth, name):
    row = media_truth[name]
    true = [(each["start"], each["end"], each["type"]) for each in row.get("fades_frames") or []]
    true += [
        (each["start_frame"], each["end_frame"], each["type"])
        for each in row.get("transitions", [])
        if "end_frame" in each
    ]
    config = SplitConfig(min_clip_s=0.5, policy="tile", max_long_shots=None)
    clips = [
        (clip["start_frame"], clip["start_frame"] + clip["num_frames"])
        for clip in split_video(str(media_dir / name), "v" * 32, config).clips
    ]
    inside = [
        (kind, start, end)
        for start, end, kind in true
        if kind not in NO_TRANSITION and any(a < end - TOLERANCE and b > start + TOLERANCE for a, b in clips)
    ]
    assert len(clips) >= 3
    assert inside == []
