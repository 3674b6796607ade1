import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from curation.stats.content import lost
from curation.stats.duck import Answer, open_lake
from curation.stats.histograms import WIDTH, histograms
from curation.stats.report import choose_subset, write_report, write_reports
from moviegen.contracts.audio_caption import AudioCaption, encode_audio_caption
from moviegen.errors import UsageError


class Tags(HTMLParser):
    """Collects tags, and checks that each one is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag not in ("meta", "img", "br", "input", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


EVIL = "<script>alert(1)</script> {{ 7 * 7 }}"
HEARD = AudioCaption(6.3, True, False, f"a dog {EVIL}", 0.05, EVIL)


@pytest.fixture
def content(known_tables):
    """The known lake, with what captioners wrote: `m` a refusal and a caption, `ears` what is heard; names and words are hostile."""
    known_tables["captions"] += [
        {"clip_id": "c1", "captioner": "m", "text": f"I'm sorry {EVIL}"},
        {"clip_id": "c2", "captioner": "m", "text": "a cat sleeps"},
        {"clip_id": "c2", "captioner": "ears", "text": encode_audio_caption(HEARD)},
    ]
    known_tables["samples"] = [
        {"subset": "s", "clip_id": "c1", "path": "p", "caption": f"Pan left. A dog runs {EVIL}", "captioner": "source"},
        {"subset": "s", "clip_id": "c2", "path": "p", "caption": "A cat sleeps. It wakes.", "captioner": "m"},
    ]
    rejected = {"stage": "caption-rejected:m", "error": "RejectedCaption"}
    known_tables["failures"] += [rejected | {"input_id": "c1", "message": f"refusal (I'm sorry): I'm sorry {EVIL}"}]
    known_tables["scores"] += [
        {
            "clip_id": "c2",
            "detector": metric.partition(".")[0],
            "metric": metric,
            "score": score,
            "detector_version": "1",
        }
        for metric, score in (("sound_tags.speech", 0.9), ("sync.cosine", 0.4), ("light.luma", 90.0))
    ]
    return known_tables


@pytest.fixture
def lake(make_lake, content):
    return make_lake(content)


@pytest.fixture
def page(lake, tmp_path):
    write_report(lake, None, tmp_path / "report.html")
    return (tmp_path / "report.html").read_text()


def test_the_page_is_whole_html(page):
    tags = Tags()
    tags.feed(page)
    assert tags.open == []


def test_the_page_asks_nobody_and_runs_its_own_script_alone(page):
    tags = Tags()
    tags.feed(page)
    assert not [tag for tag, _ in tags.seen if tag in ("link", "iframe", "object")]
    assert [attributes for tag, attributes in tags.seen if tag == "script"] == [{}]
    assert all(a.get("src", "data:").startswith("data:") for _, a in tags.seen)
    assert not [name for _, a in tags.seen for name in a if name.startswith("on")]
    script = re.search("<script>(.*?)</script>", page, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in page


def section(page, title):
    return page.partition(f"<h2>{title}</h2>")[2].partition("<h2>")[0]


def test_what_others_wrote_is_text(page):
    escaped = "&lt;script&gt;alert(1)&lt;/script&gt; {{ 7 * 7 }}"
    for title, times in (
        ("Clips", 4),
        ("Captions", 3),
    ):  # a clip's words, and its tip; a caption, what is heard, a rejected one
        assert section(page, title).count(escaped) == times
    assert "<script>alert" not in page


def test_captions_are_shown_as_they_go_into_samples(page):
    shown = section(page, "Captions")
    assert '<b class="camera">Pan left.</b> <span class="text">A dog runs' in shown
    assert '<li><span><span class="text">A cat sleeps. It wakes.</span> <span class="by">m</span>' in shown, (
        "what is no motion of a camera is not taken off"
    )
    assert "♪ quality 6.3, speech, music 0.05: a dog" in shown
    assert "a cat sleeps" not in shown, "the caption before cleaning"
    table = shown.partition("</table>")[0]
    rows = [row.replace("</td>", "") for row in table.split("<tr>") if row.startswith("<td>")]
    cells = {row.split("<td>")[1].split("<td")[0]: re.findall(r'"n">([^<]*)', row) for row in rows}
    assert cells["m"][:3] == ["2", "1", "1"]
    assert cells["source"][:3] == ["2", "1", ""]
    assert cells["ears"][:2] == ["1", "beside the video&#39;s"]
    assert "<td>refusal</td>" in shown


def test_sound_is_counted(page):
    assert "<td>voice</td><td>diegetic</td>" in section(page, "Sound")


def test_a_lake_without_models_has_no_such_tables(known_lake, tmp_path):
    write_report(known_lake, None, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "<h2>Sound</h2>" not in page
    assert "Not fit" not in page


def test_numbers_without_a_rule_are_folded(page):
    scores = section(page, "Scores")
    assert "<details><summary>light: luma</summary>" in scores
    before, _, folded = scores.partition("<details>")
    assert "motion.vmaf" in before
    assert "light.luma" in folded


def test_files_and_clips_are_counted_first(page):
    cards = page.partition("<h2>")[0].split('<div class="card" data-what="')[1:]
    found = {card.partition('"')[0]: re.findall(r"<b>([^<]+)|state-\w+\">([^<]+)", card) for card in cards}
    numbers = {what: [total or part for total, part in parts] for what, parts in found.items()}
    assert numbers["files"] == ["7", "2 accepted", "3 rejected", "2 failed"]
    assert numbers["clips"] == ["4", "2 accepted", "2 rejected"]
    assert "7 files were cut into 4 clips; 2 of 4 clips (50 %, 15.1 s) are in shards." in page


def test_it_says_what_the_lake_says(page):
    for word in (
        "resolution",
        "no frame with detection",
        "duplicate_file",
        "DecodeTimeoutError",
        "no picture",
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


def test_a_lake_of_several_subsets_has_a_page_for_each(make_lake, content):
    lake = make_lake(content)
    assert write_reports(lake, None) == (f"{lake}/report.html",)
    content["rules"].append(content["rules"][0] | {"subset": "other"})
    lake = make_lake(content)
    for subset in ("other", "s"):
        assert write_reports(lake, subset) == (f"{lake}/report.html", f"{lake}/report-{subset}.html")
    assert (lake / "report.html").read_bytes() == (lake / "report-s.html").read_bytes()
    assert "Curation of <em>other</em>" in (lake / "report-other.html").read_text()
    assert "Other subsets of this lake: other;" in (lake / "report.html").read_text()


def bins(*counts):
    columns = ("metric", "bin", "bin_from", "bin_to", "num_clips")
    return Answer(columns, [("m", i, float(i), i + 1.0, n) for i, n in enumerate(counts) if n])


def rule(low=None, high=None, name="r"):
    return {"rule": name, "metric": "m", "position": 0, "min": low, "max": high, "bound": "b"}


def test_bars_are_as_high_as_their_counts_and_say_if_they_pass():
    (found,) = histograms(bins(2, 0, 4, 1), [rule(low=2.5)])
    assert [bar.verdict for bar in found.bars] == ["out", "cut", "in"]
    assert [bar.height for bar in found.bars] == [45.0, 90.0, 22.5]
    assert (found.num_clips, found.low, found.high) == (7, 0.0, 20.0)


def test_what_only_some_batches_let_pass_is_neither_in_nor_out():
    (found,) = histograms(bins(1, 1, 1), [rule(low=1.0), rule(low=2.0)])
    assert [bar.verdict for bar in found.bars] == ["out", "cut", "in"]
    (found,) = histograms(bins(1, 1, 1), [rule(low=1.0), rule(low=2.0, name="another of every batch")])
    assert [bar.verdict for bar in found.bars] == ["out", "out", "in"]


def test_a_bound_outside_the_scores_widens_the_plot():
    (found,) = histograms(bins(1), [rule(high=40.0)])
    assert found.high == 40.0
    assert found.bounds == ((WIDTH, "40"),)
    assert found.bars[0].verdict == "in"


def test_metrics_with_rules_come_first():
    answer = Answer(bins(1).columns, [("a", 0, 0.0, 1.0, 1), ("m", 0, 0.0, 1.0, 1)])
    assert [found.metric for found in histograms(answer, [rule(low=0.5)])] == ["m", "a"]


def test_the_funnel_fits_a_small_screen(page):
    """Bars are parts of their column, and losses that no step has are no column."""
    tags = Tags()
    tags.feed(page)
    bars = [attributes["style"] for _, attributes in tags.seen if attributes.get("class") in ("bar", "bar paper")]
    assert bars
    assert all(re.fullmatch(r"width:[\d.]+%", style) for style in bars)
    heads = re.search(r'<table class="funnel">\s*<tr>(.*?)</tr>', page, re.DOTALL)[1]
    assert "rejected" in heads
    assert "failed" not in heads


def test_every_table_may_be_pushed_aside_on_a_small_screen(page):
    assert page.count("<table") == len(re.findall(r'<div class="wide"><table', page)) > 5


def test_what_was_lost_is_a_sentence_for_none_one_and_many():
    def told(**counts: int) -> str:
        return lost([{"reason": reason, "num_clips": count} for reason, count in counts.items()])

    assert told() == ""
    assert told(border=1) == " One was lost to border."
    assert told(border=4) == " 4 were lost to border."
    assert told(border=4, text=1) == " 5 were lost to border (4), text (1)."
    assert told(a=9, b=3, c=2, d=1) == " 15 were lost, most of them to a (9), b (3), c (2)."
