"""Copies among the real media are found, and films of other things are not."""

import numpy as np
import pytest

from curation.clips import SplitConfig, split_video
from curation.dedup import find_matches
from curation.embedders import load_embedder
from curation.scoring import clip_input
from curation.signals.table import slice_signals
from curation.vectors import ClipVectors
from moviegen.contracts.clip import Clip

FILES = (
    "composed/dup_dog_small.avi",
    "composed/overlay_text_hevc10.mkv",
    "carphone_distorted.mp4",
    "carphone_pristine.mp4",
    "pool_handheld.mp4",
)


@pytest.mark.data
def test_recompressed_resized_and_written_over_copies_are_found_and_nothing_else(media_dir):
    embedder = load_embedder("fingerprint")
    ids, places, vectors = [], [], []
    for file in FILES:
        found = split_video(str(media_dir / file), file, SplitConfig(start_trim_s=0.0))
        for row in found.clips:
            clip = Clip(**row)
            signals = slice_signals(found.signals, clip.start_frame, clip.num_frames)
            shown = embedder.embed(clip_input(embedder.frames, clip, {"uri": str(media_dir / file)}, signals))
            ids += [file] * len(shown)
            places += range(len(shown))
            vectors.append(shown)
    matches = find_matches(ClipVectors.sorted_from(ids, np.array(places), np.concatenate(vectors)), embedder.copies)
    assert set(ids) == set(FILES)
    assert {(match.first, match.second) for match in matches} == {FILES[:2], FILES[2:4]}
