"""Caption: captioners write about the clips a subset keeps, in order; a clip that has a fit caption is not shown to the next.

What they write is stored as they wrote it. Cleaning, CLIP's bound and the camera's threshold are applied when captions are read
(`captioning.choice`): moving one asks no model again.
"""

import functools
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from curation.captioning import captioner_version, load_captioner
from curation.captioning.base import Answer, Caption, Captioner, caption_clips
from curation.captioning.choice import Choice, Rules, choose_captions, judge, quality_detector, with_camera
from curation.captioning.plan import Entry, read_plan
from curation.captioning.quality import CaptionQuality
from curation.config import CaptionConfig
from curation.detectors import build, fingerprint
from curation.detectors.base import ClipInput
from curation.rows import read_table
from moviegen.contracts.clip import hash_id
from moviegen.contracts.lake import Lake

from .clips import Batch, fetch_input, worker_limits
from .parts import Operation, Rows, Task, attempt, finish
from .session import Session, Work

TABLES = ("failures", "captions")
QUALITY_TABLES = ("failures", "scores")


LOOKING_S = 5.0
"""CPU-seconds that a captioner which looks at frames takes for a clip, at least."""


def caption(session: Session) -> None:
    """Writes the captions that are missing for the subset's kept clips, and judges them where CLIP's weights are given."""
    config = session.config.caption
    plan = read_plan(config.captioners)
    kept = kept_clips(session.lake, session.batch, session.config.subset)
    for entry in plan:
        batch = Batch(session.lake, session.batch)
        before = plan[: [e.base for e in plan].index(entry.base)]
        has_one = choose(config, batch, before).chosen if before else {}
        wanted = sorted(clip_id for clip_id in kept - set(has_one) if entry.takes(clip_id))
        session.perform(f"caption {entry.label}", [_work(session, entry, batch, wanted)])
        if config.quality.clip_weights is not None and entry.needs_cleaning:
            session.perform(f"judge {entry.label}", [_quality_work(session, entry, batch, kept)])
    _commit_rejected(session, plan)


def kept_clips(lake: Lake, batch: str, subset: str) -> set[str]:
    """Clips that a subset keeps."""
    rows = read_table(lake, "selection", batch, ["subset", "clip_id", "keep"])
    return {row["clip_id"] for row in rows if row["keep"] and row["subset"] == subset}


def chosen_captions(config: CaptionConfig, batch: Batch) -> dict[str, dict]:
    """The caption of each clip as it goes into its sample: the row of the fit one, cleaned, the camera's sure motion before it."""
    chosen = choose(config, batch, read_plan(config.captioners)).chosen
    bound = config.camera_min_confidence
    return {clip_id: with_camera(row, batch.scores.get(clip_id, {}), bound) for clip_id, row in chosen.items()}


def choose(config: CaptionConfig, batch: Batch, plan: Sequence[Entry]) -> Choice:
    """The fit caption of each clip that these entries wrote about, and those that were rejected."""
    scores = batch.scores if config.quality.clip_weights is not None else {}
    return choose_captions(plan, read_table(batch.lake, "captions", batch.name), scores, rules_of(config))


def rules_of(config: CaptionConfig) -> Rules:
    """What a caption must be like."""
    return Rules(config.cleaning, config.quality.min_similarity, config.quality.choose)


def _work(session: Session, entry: Entry, batch: Batch, wanted: list[str]) -> Work:
    captioner = entry.load()
    operation = Operation(
        f"caption:{entry.label.replace(':', '.')}",
        captioner_version(captioner),
        TABLES,
        "curation.jobs.caption:caption_rows",
        {
            "captioner": entry.captioner,
            "label": entry.label,
            "params": entry.params,
            "limits": worker_limits(session.config),
        },
    )
    sources = {clip_id: batch.source(clip_id) for clip_id in batch.clips}
    keys = {clip_id: caption_key(source) for clip_id, source in sources.items()}
    inputs = {keys[clip_id]: sources[clip_id] for clip_id in wanted}
    return Work(operation, inputs, valid=set(keys.values()), extra_s=LOOKING_S if captioner.frames.needs_file else 0.0)


def caption_key(source: dict) -> str:
    """The clip's id and the hash of the text that came with its video: another text is another key."""
    return f"{source['clip']['clip_id']}-{hash_id(source['video']['source_caption'])}"


def caption_rows(task: Task) -> Rows:
    """Rows of `captions` and `failures` for a group of clips: each clip in at most one of them, whatever order answers come in."""
    rows: Rows = {name: [] for name in TABLES}
    operation = task.operation
    captioner = _loaded(operation.params["captioner"], json.dumps(operation.params["params"], sort_keys=True))
    open_clips: set[str] = set()
    for answer in caption_clips(captioner, _shown(captioner, task, open_clips, rows["failures"])):
        if answer.clip_id not in open_clips:
            raise RuntimeError(f"{operation.name}: an answer about clip {answer.clip_id}, which was not asked about")
        open_clips.discard(answer.clip_id)
        written = attempt(operation.name, answer.clip_id, functools.partial(_unpacked, answer), rows["failures"])
        if written is not None:
            about = {"clip_id": answer.clip_id, "captioner": operation.params["label"]}
            rows["captions"].append(about | asdict(written) | {"captioner_version": operation.version})
    if open_clips:
        raise RuntimeError(f"{operation.name}: no answer about {len(open_clips)} clips, {min(open_clips)} among them")
    rows["captions"].sort(key=lambda row: row["clip_id"])
    rows["failures"].sort(key=lambda row: row["input_id"])
    return rows


def _shown(captioner: Captioner, task: Task, open_clips: set[str], failures: list[dict]) -> Iterator[ClipInput]:
    """The clips of a task as the captioner wants them; those that cannot be read are failures and not shown."""
    for source in task.inputs:
        clip_id = source["clip"]["clip_id"]
        found = attempt(
            task.operation.name,
            clip_id,
            lambda source=source: fetch_input(captioner.frames, task, source),
            failures,
        )
        if found is not None:
            open_clips.add(clip_id)
            yield found


def _unpacked(answer: Answer) -> Caption | None:
    if answer.error is not None:
        raise answer.error
    return answer.caption


@functools.cache
def _loaded(name: str, params: str) -> Captioner:
    """A captioner, loaded once a worker."""
    return load_captioner(name, json.loads(params))


def _quality_work(session: Session, entry: Entry, batch: Batch, kept: set[str]) -> Work:
    """Judging the cleaned captions of an entry: another text is another key."""
    config = session.config.caption
    params = {name: getattr(config.quality, name) for name in ("clip_weights", "clip_model", "count")}
    params["clip_weights"] = str(params["clip_weights"])
    tool = build("caption.quality", entry.label, CaptionQuality, params)
    operation = Operation(
        f"caption-quality:{entry.label.replace(':', '.')}",
        fingerprint(tool),
        QUALITY_TABLES,
        "curation.jobs.caption:quality_rows",
        {"label": entry.label, "params": params, "limits": worker_limits(session.config)},
    )
    texts = _fit_texts(entry, batch, rules_of(config))
    keys = {clip_id: f"{clip_id}-{hash_id(text)}" for clip_id, text in texts.items()}
    inputs = {keys[clip_id]: batch.source(clip_id) | {"text": texts[clip_id]} for clip_id in sorted(kept & set(texts))}
    return Work(operation, inputs, valid=set(keys.values()), extra_s=LOOKING_S)


def _fit_texts(entry: Entry, batch: Batch, rules: Rules) -> dict[str, str]:
    """Clip -> text of an entry's captions that the cleaner lets pass."""
    rows = [row for row in read_table(batch.lake, "captions", batch.name) if row["captioner"] == entry.label]
    judged = [(row["clip_id"], *judge(entry, row, {}, rules)) for row in rows if row["clip_id"] in batch.clips]
    return {clip_id: fit["text"] for clip_id, fit, reason, _ in judged if not reason}


def quality_rows(task: Task) -> Rows:
    """Rows of `scores` and `failures` for the captions of a group of clips."""
    rows: Rows = {name: [] for name in QUALITY_TABLES}
    operation = task.operation
    tool = _loaded_quality(json.dumps(operation.params["params"], sort_keys=True))
    detector = quality_detector(operation.params["label"])
    for source in task.inputs:
        clip_id = source["clip"]["clip_id"]
        found = attempt(
            operation.name,
            clip_id,
            lambda source=source: tool.score(fetch_input(tool.frames, task, source), source["text"]),
            rows["failures"],
        )
        rows["scores"] += [
            {
                "clip_id": clip_id,
                "detector": detector,
                "metric": f"{detector}.{name}",
                "score": score,
                "detector_version": operation.version,
            }
            for name, score in sorted((found or {}).items())
        ]
    return rows


@functools.cache
def _loaded_quality(params: str) -> CaptionQuality:
    return build("caption.quality", "", CaptionQuality, json.loads(params))


def _commit_rejected(session: Session, plan: Sequence[Entry]) -> None:
    """Writes a failure for each caption that is not fit, with its reason: decided on the driver, from the tables alone."""
    if session.has_plan:
        return
    rejected = choose(session.config.caption, Batch(session.lake, session.batch), plan).rejected
    for entry in plan:
        own = [row for row in rejected if row["captioner"] == entry.label]
        stage = f"caption-rejected:{entry.label.replace(':', '.')}"
        rows = [{name: row[name] for name in ("input_id", "error", "message")} | {"stage": stage} for row in own]
        operation = Operation(stage, hash_id(rows), ("failures",), "")
        if rows:
            session.commit_rows(operation, sorted(row["input_id"] for row in rows), {"failures": rows})
            reasons = Counter(row["message"].partition(" ")[0] for row in rows)
            told = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
            session.progress.say(f"caption {entry.label}: {len(rows)} captions rejected: {told}")
        elif not session.dry_run:
            finish(session.lake, session.batch, operation, set(), trim=False)
