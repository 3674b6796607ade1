"""What a dry run tells of files that nobody has opened yet."""

from collections import Counter
from fractions import Fraction

import numpy as np

from curation.config import CurateConfig
from curation.costs import Media
from curation.first_look import FirstLook, look_at
from curation.jobs.ingest import list_inputs
from moviegen.media.write import write_video


def test_files_that_cannot_be_opened_are_counted_by_reason_and_hold_nothing(tmp_path):
    """A link out of the folder is not followed to tell. Of a file to split there is the one that can be opened."""
    folder = tmp_path / "in"
    folder.mkdir()
    write_video(folder / "good.mp4", [np.zeros((32, 48, 3), np.uint8)] * 8, Fraction(8))
    for name in ("a.mp4", "b.mp4"):
        (folder / name).write_text("<html>404</html>")
    (folder / "c.mp4").write_bytes(b"")
    (folder / "link.mp4").symlink_to("/etc/passwd")
    config = CurateConfig(lake=tmp_path / "lake", input=folder)
    look = look_at(list_inputs(config), config, [])
    assert look.reasons == {"web page (HTML)": 2, "is empty": 1, "is a symbolic link to …": 1}
    assert (look.media.num_files, look.media.num_probed, round(look.media.seconds, 3)) == (1, 1, 1.0)
    assert look.lines(0.8) == [
        "4 of 5 files cannot be opened: web page (HTML) 2, is a symbolic link to … 1, is empty 1"
    ]


def test_a_share_over_the_limit_is_told_with_the_flag():
    """Of many files those probed stand for all; files that the batch has already count too."""
    look = FirstLook(Media(), 22, 22, Counter({"is empty": 12}))
    assert look.lines(0.6) == ["12 of 22 files cannot be opened: is empty 12"]
    told = look.lines(0.1)[1]
    assert told.startswith(
        "so 54.5% of the batch's files fail, and limits.max_failed_fraction allows 10.0%: the run would end with 3"
    )
    assert told.endswith("--limits.max_failed_fraction 0.55")
    look = FirstLook(Media(), 1000, 20, Counter({"is empty": 5}), num_known=1000, num_known_failed=50)
    assert look.lines(0.1)[0] == "5 of 20 probed cannot be opened: is empty 5"
    assert "so about 15.0% of the batch's" in look.lines(0.1)[1]
    assert len(look.lines(0.15)) == 1
    assert FirstLook(Media(), 2, 2).lines(0.0) == []
