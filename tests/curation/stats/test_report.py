from html.parser import HTMLParser

import pytest

from curation.stats.duck import Answer, open_lake
from curation.stats.histograms import WIDTH, histograms
from curation.stats.report import choose_subset, write_report
from moviegen.errors import UsageError


class Tags(HTMLParser):
    """Collects tags, and checks that each one is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag not in ("meta", "img", "br", "line", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in ("line", "rect"):
            assert self.open.pop() == tag


@pytest.fixture
def page(known_lake, tmp_path):
    write_report(known_lake, None, tmp_path / "report.html")
    return (tmp_path / "report.html").read_text()


def test_the_page_is_whole_html(page):
    tags = Tags()
    tags.feed(page.replace("</rect>", ""))
    assert tags.open == []


def test_the_page_asks_nobody_and_runs_nothing(page):
    tags = Tags()
    tags.feed(page)
    assert not [tag for tag, _ in tags.seen if tag in ("script", "link", "iframe", "object")]
    assert all(a.get("src", "data:").startswith("data:") for _, a in tags.seen)
    assert "default-src 'none'" in page


def test_captions_are_text(page):
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{ 7 * 7 }}" in page
    assert "<script" not in page


def test_it_says_what_the_lake_says(page):
    for word in (
        "resolution",
        "no frame with detection",
        "duplicate_file",
        "DecodeTimeoutError",
        "its file is gone",
        "1x1-f16",
    ):
        assert word in page, word


def test_the_paper_stands_beside(page):
    assert "width &gt;= 768 and height &gt;= 768" in page


def test_a_subset_must_be_named_when_there_are_two(make_lake, known_tables):
    known_tables["rules"].append(known_tables["rules"][0] | {"subset": "other"})
    connection = open_lake(make_lake(known_tables))
    assert choose_subset(connection, "other") == "other"
    with pytest.raises(UsageError, match="there are other, s; say --subset NAME"):
        choose_subset(connection, None)
    with pytest.raises(UsageError, match="no subset 'x'"):
        choose_subset(connection, "x")


def bins(*counts):
    columns = ("metric", "bin", "bin_from", "bin_to", "num_clips")
    return Answer(columns, [("m", i, float(i), i + 1.0, n) for i, n in enumerate(counts) if n])


def rule(low=None, high=None):
    return {"metric": "m", "position": 0, "min": low, "max": high, "bound": "b"}


def test_bars_are_as_high_as_their_counts_and_say_if_they_pass():
    (found,) = histograms(bins(2, 0, 4, 1), [rule(low=2.5)])
    assert [bar.verdict for bar in found.bars] == ["out", "cut", "in"]
    assert [bar.height for bar in found.bars] == [45.0, 90.0, 22.5]
    assert (found.num_clips, found.low, found.high) == (7, 0.0, 20.0)


def test_a_bound_outside_the_scores_widens_the_plot():
    (found,) = histograms(bins(1), [rule(high=40.0)])
    assert found.high == 40.0
    assert found.bounds == ((WIDTH, "40"),)
    assert found.bars[0].verdict == "in"


def test_metrics_with_rules_come_first():
    answer = Answer(bins(1).columns, [("a", 0, 0.0, 1.0, 1), ("m", 0, 0.0, 1.0, 1)])
    assert [found.metric for found in histograms(answer, [rule(low=0.5)])] == ["m", "a"]
