import pytest

from curation.cli import curate
from curation.config import CurateConfig
from curation.jobs.parts import LocalRunner
from curation.jobs.run import run_jobs
from curation.progress import Progress
from curation.stats.timeline import draw_timeline, find_video
from moviegen.contracts.lake import Lake
from moviegen.errors import UsageError


@pytest.fixture(scope="module")
def lake(film, tmp_path_factory):
    folder = tmp_path_factory.mktemp("timeline")
    made = film("cuts", 1)
    (folder / "in").mkdir()
    (folder / "in" / "a film.mp4").write_bytes(made.path.read_bytes())
    config = CurateConfig(folder / "lake", folder / "in")
    run_jobs(config, ["ingest", "split"], LocalRunner(), Progress(quiet=True))
    return Lake(folder / "lake")


def test_a_picture_of_the_video_by_its_name(lake, tmp_path, capsys):
    path = tmp_path / "film.png"
    assert curate(["timeline", str(lake.root), "a film.mp4", "--output", str(path)]) == 0
    assert path.read_bytes().startswith(b"\x89PNG")
    assert "shots" in capsys.readouterr().out


def test_by_the_beginning_of_its_id(lake, tmp_path):
    video_id = find_video(lake, "a film.mp4")["video_id"]
    counts = draw_timeline(lake, video_id[:8], tmp_path / "film.svg")
    assert counts["shots"] >= 2


def test_no_such_video_names_some_there_are(lake, tmp_path):
    with pytest.raises(UsageError, match=r"no readable video is called 'b.mp4'.*a film.mp4"):
        draw_timeline(lake, "b.mp4", tmp_path / "film.png")
