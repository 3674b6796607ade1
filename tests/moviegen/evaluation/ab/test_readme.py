"""The page's tables are what the functions give."""

import re

from moviegen.evaluation.ab.axes import AXES
from moviegen.evaluation.ab.command import main
from moviegen.evaluation.ab.power import items_for, items_to_see
from moviegen.evaluation.prompt_sets import count_tags, read_prompts


def test_the_table_of_power_is_what_the_command_prints(repo_root, capsys):
    text = (repo_root / "moviegen/evaluation/ab/README.md").read_text()
    assert main(["power"]) == 0
    assert capsys.readouterr().out == re.search(r"```text\n(.*?)```", text, re.S)[1]


def test_the_figures_in_the_words(repo_root):
    text = " ".join((repo_root / "moviegen/evaluation/ab/README.md").read_text().split())
    assert "5 points takes some 2,300 items" in text
    assert round(items_to_see(5), -2) == 2300
    assert "20 points takes 140" in text
    assert round(items_to_see(20), -1) == 140
    assert 1000 < items_for(5) < 1200
    assert f"sigma of {AXES['overall_quality'].paper_sigma}" in text
    own = read_prompts(repo_root / "configs/prompts/small.yaml")
    assert f"{len(own.prompts)} prompts with the {len(count_tags(own.prompts))} concepts" in text


def test_every_file_is_in_the_table(repo_root):
    folder = repo_root / "moviegen/evaluation/ab"
    text = (folder / "README.md").read_text()
    assert [
        path.name
        for path in folder.glob("*.py")
        if path.name not in text and path.name not in ("__init__.py", "command.py")
    ] == []
