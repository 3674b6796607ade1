"""The verb `moviegen curate`, and where `moviegen stats` is."""

import importlib
from collections.abc import Sequence

from moviegen.cli import Command

CURATE = Command(
    "curate",
    "raw video to shards: ingest, split, score, embed, filter, caption, shard, check, report",
    "curation.cli:curate",
    "curation",
    below=(("", "curation.cli:VERBS"),),
    files=(("rules", "curation.filters:RulesFile"), ("buckets", "moviegen.contracts.bucket:BucketSet")),
)
STATS = Command(
    "stats",
    "ask DuckDB what is in a lake and why a clip was dropped; compare two; export",
    "curation.stats.command:stats",
    "curation",
)

VERBS = {
    "run": "every job in order, then check and report; goes on where it stopped",
    "ingest": "probe and hash the files of a folder",
    "split": "find shots and clips, measure every frame, in one decode",
    "score": "run the detectors, cheapest first",
    "embed": "turn the clips that no rule has rejected into vectors: for copies, concepts, search",
    "filter": "apply the rules to the scores, then drop near-duplicates",
    "caption": "write the captions of kept clips",
    "shard": "encode kept clips into WebDataset tars",
    "personal": "write the personalisation set: clips of one person with pictures of them",
    "edits": "write the editing set: a video, an instruction, the video after it",
    "check": "look for anything in a lake that must not be there",
    "report": "write one offline HTML file about a lake",
    "timeline": "draw a video's signals, shots and clips over time",
    "find": "clips like a text or a clip, by their embeddings",
    "detectors": "the detectors of a config, in the order they run",
    "explain": "every score, rule and fate of a clip or a video",
    "whatif": "the funnel that other rules would make, in seconds; nothing is changed",
    "gc": "delete what no commit names: leftovers of killed runs, replaced tars and parts",
    "card": "write the dataset card and metadata that make the shards folder a dataset repository",
    "replay": "do a sample of the committed work again and compare it byte for byte",
}

ELSEWHERE = {
    "check": "curation.check_verb:check",
    "report": "curation.stats.report_verb:report",
    "timeline": "curation.stats.timeline_verb:timeline",
    "detectors": "curation.detector_list:detectors",
    "find": "curation.find:find",
    "explain": "curation.explain:explain",
    "whatif": "curation.whatif:whatif",
    "gc": "curation.gc:gc",
    "card": "curation.stats.card:card",
    "replay": "curation.replay:replay",
}
"""Verbs with a file of their own, dotted path of `argv -> exit code`; the others are jobs, `curation.job_verbs`."""


def curate(argv: Sequence[str]) -> int:
    """`moviegen curate <verb>`; returns the exit code."""
    verb, rest = (argv[0], list(argv[1:])) if argv else ("", [])
    if verb in ("", "-h", "--help", "help"):
        print(_usage())
        return 0 if verb else 2
    if verb in ELSEWHERE:
        module, _, function = ELSEWHERE[verb].partition(":")
        return getattr(importlib.import_module(module), function)(rest)
    if verb in VERBS:
        from .job_verbs import run

        return run(verb, VERBS[verb], rest)
    import difflib

    from moviegen.errors import UsageError

    close = difflib.get_close_matches(verb, VERBS, 1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise UsageError(f"moviegen curate: no verb {verb!r}{hint}; moviegen curate --help lists them")


def _usage() -> str:
    verbs = "\n".join(f"  {name:<8} {text}" for name, text in VERBS.items())
    return (
        f"usage: moviegen curate <verb> [options]\n\nRaw video to shards.\n\nverbs:\n{verbs}\n\n"
        "moviegen curate <verb> --help shows a verb's options.\n"
        "example: moviegen curate run --input videos/ --lake lake/ --config configs/curation/demo.yaml"
    )
