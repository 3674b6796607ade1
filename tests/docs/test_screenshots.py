"""Pictures of the pages: taken anew where a source changed, with what is wrong with a page beside it, and no error without a browser."""

import json

import pytest

from moviegen.testing.browser import PROGRAM_VARIABLE, find_browser

WIDE = (
    "<!doctype html><meta name=viewport content=width=device-width>"
    "<body style='margin:0'><div style='width:700px;height:1200px'>wide</div>"
)


@pytest.fixture
def tools(monkeypatch, repo_root):
    monkeypatch.syspath_prepend(str(repo_root / "tools"))
    import screenshots

    return screenshots


def test_without_a_browser_it_says_how_to_get_one(tools, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(PROGRAM_VARIABLE, "no-such-browser")
    assert tools.main(["--output", str(tmp_path / "shots"), "--cache", str(tmp_path)]) == 0
    assert PROGRAM_VARIABLE in capsys.readouterr().err
    assert not (tmp_path / "shots").exists()


@pytest.mark.skipif(find_browser() is None, reason="no browser")
def test_a_page_is_taken_once_and_again_when_it_changed(tools, tmp_path, capsys):
    world, output = tmp_path / "world.html", tmp_path / "shots"
    words = ["--output", str(output), "--cache", str(tmp_path / "cache"), "--world", str(world), "--only", "world", "airflow"]  # fmt: skip
    world.write_text(WIDE)
    assert tools.main(words) == 0
    said = capsys.readouterr().err
    assert "world-phone-dark.png: 310 px hang over the right edge" in said
    assert "airflow: left out: Airflow's environment is not set up" in said
    index = (output / "index.html").read_text()
    assert {path.name for path in output.glob("*.png")} == {
        f"world-{look}-{theme}.png" for look in ("desktop", "phone") for theme in ("light", "dark")
    }
    assert "1,200 px tall" in index
    assert "environment is not set up" in index
    assert tools.main(words) == 0
    assert "taking pictures" not in capsys.readouterr().err
    world.write_text(WIDE.replace("700", "90"))
    assert tools.main(words) == 0
    assert "hang over" not in capsys.readouterr().err
    (kept,) = (tmp_path / "cache").glob("world-*/shots.json")
    assert [row["faults"] for row in json.loads(kept.read_text())] == [[]] * 4
