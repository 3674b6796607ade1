"""The site: it builds without a warning, asks nothing from elsewhere, has a page for every command, and names no file that is not there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from moviegen.config_cli import leaves

ROOT = Path(__file__).resolve().parents[2]

pytest.importorskip("material")

LOADED = re.compile(
    r"""<(?:script|img|iframe|source|video)\b[^>]*\bsrc=["']?(?P<src>[^"'\s>]+)|<link\b(?P<link>[^>]*)>"""
)


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_nothing_is_loaded_from_elsewhere(site):
    found = []
    for page in site.rglob("*.html"):
        for match in LOADED.finditer(page.read_text()):
            target = match["src"] or (match["link"] if "canonical" not in match["link"] else "")
            found += [f"{page.name}: {target}"] if re.search(r"(https?:)?//", target or "") else []
    found += [
        f"{sheet.name}: {url}"
        for sheet in site.rglob("*.css")
        for url in re.findall(r"url\((https?:[^)]*)\)", sheet.read_text())
    ]
    assert found == []


def test_every_command_has_its_page(site):
    pages = {path.stem for path in (site / "reference" / "commands").glob("*.html")}
    assert {"-".join(words) for words in leaves()} <= pages


def test_every_setting_of_a_run_is_on_its_page(site):
    text = (site / "reference" / "commands" / "curate-run.html").read_text()
    for name in ("split.max_clip_s", "dedup.threshold", "shard.encode.crf"):
        assert name in text


def test_links_of_readmes_lead_to_pages_of_the_site(site):
    for page in set(site.rglob("*.html")) - {site / "404.html"}:  # that one's links are the server's
        for target in re.findall(r'href="([^"#:?]+\.(?:html|md))(?:#[^"]*)?"', page.read_text()):
            assert (page.parent / target).exists(), f"{page.relative_to(site)}: {target}"


def test_no_code_shows_the_backslash_of_a_table(site):
    shown = {code for page in site.rglob("*.html") for code in re.findall(r"<code>([^<]*)</code>", page.read_text())}
    assert "true|false" in shown
    assert [code for code in shown if "\\|" in code] == []


def test_the_readmes_of_the_repository_are_on_the_site_and_no_others(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import docs_pages

    done = subprocess.run(
        ["git", "ls-files", "README.md", "*/README.md"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip("no git here to ask")
    assert {name for name in docs_pages.readmes() if name.endswith("README.md")} == set(done.stdout.split())
    for name in ("lake/shards/README.md", "curation/README.md"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    monkeypatch.setattr(docs_pages, "ROOT", tmp_path)
    assert {name for name in docs_pages.readmes() if "/" in name} == {"curation/README.md"}


def test_a_block_that_is_not_run_says_so(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import docs_pages

    text = 'a\n\n```sh slow\nls\n```\n\n```sh slow skip="needs 8 GPUs"\nmoviegen\n```\n\n```python\n1\n```\n'
    told = "*Read by the parser, not run by the tests: needs 8 GPUs.*"
    assert docs_pages.without_markers(text) == (
        f"a\n\n```sh\nls\n```\n\n{told}\n\n```sh\nmoviegen\n```\n\n```python\n1\n```\n"
    )


@pytest.mark.parametrize("page", ["docs/paper-to-code.md", "README.md", "CONTRIBUTING.md", "docs/differences.md"])
def test_files_that_a_page_names_are_there(page):
    named = re.findall(
        r"`((?:moviegen|curation|training|configs|tests|benchmarks|tools|docs|dags)/[\w./-]*)`",
        (ROOT / page).read_text(),
    )
    assert named or page == "docs/differences.md"
    assert [path for path in named if not path.endswith("...") and not (ROOT / path).exists()] == []
