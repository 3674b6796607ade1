"""Caption: captioners write about the clips a subset keeps, in order; a clip that has a fit caption is not shown to the next.

What they write is stored as they wrote it. Cleaning, CLIP's bound and the camera's threshold are applied when captions are read
(`captioning.choice`): moving one asks no model again.
"""

import functools
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import groupby

from curation.captioning import captioner_version, load_captioner
from curation.captioning.base import Answer, Caption, Captioner, caption_clips
from curation.captioning.choice import Choice, Rules, judge, quality_detector
from curation.captioning.plan import Entry, read_audio_plan, read_plan
from curation.captioning.quality import CaptionQuality
from curation.detectors import build, fingerprint
from curation.detectors.base import ClipInput
from moviegen.contracts.audio_caption import decode_audio_caption
from moviegen.contracts.clip import hash_id

from .chosen import add_entry, caption_operation, caption_rows_of, kept_now, quality_operation, rules_of
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
    kept = kept_now(session)
    batch, choice = Batch(session.lake, session.batch), Choice()
    for _, entries in groupby(plan, key=lambda entry: entry.base):
        # the further captions of one captioner are of the clips that its first is of
        left, written = kept - set(choice.chosen), list(entries)
        for entry in written:
            _write(session, entry, batch, (clip_id for clip_id in left if entry.takes(clip_id)))
            if config.quality.clip_weights is not None and entry.needs_cleaning:
                session.perform(f"judge {entry.label}", [_quality_work(session, entry, batch, kept)])
            add_entry(choice, config, batch, entry)
    _commit_rejected(session, plan, choice.rejected)
    _write_audio(session, batch, kept)


def _write(session: Session, entry: Entry, batch: Batch, wanted: Iterable[str]) -> None:
    session.perform(f"caption {entry.label}", [_work(session, entry, batch, sorted(wanted))])


def _write_audio(session: Session, batch: Batch, kept: set[str]) -> None:
    """Writes the audio captions that are missing; who comes later gets the clips that nobody before had anything to say of."""
    config = session.config.caption
    left = {clip_id for clip_id in kept & set(batch.clips) if batch.video_of(clip_id)["has_audio"]}
    for entry in read_audio_plan(config.audio_captioners):
        _write(session, entry, batch, (clip_id for clip_id in left if entry.takes(clip_id)))
        left -= {row["clip_id"] for row in caption_rows_of(batch, entry)}


def _work(session: Session, entry: Entry, batch: Batch, wanted: list[str]) -> Work:
    captioner = entry.load()
    operation = Operation(
        caption_operation(entry),
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
        unpack = functools.partial(_unpacked, answer, is_audio=getattr(captioner, "is_audio", False))
        written = attempt(operation.name, answer.clip_id, unpack, rows["failures"])
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


def _unpacked(answer: Answer, is_audio: bool) -> Caption | None:
    """The caption. Raises what kept the captioner from writing, and ValueError on an audio caption of other than six fields."""
    if answer.error is not None:
        raise answer.error
    if is_audio and answer.caption is not None:
        decode_audio_caption(answer.caption.text)
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
        quality_operation(entry),
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
    rows = (row for row in caption_rows_of(batch, entry) if row["clip_id"] in batch.clips)
    judged = ((row["clip_id"], *judge(entry, row, {}, rules)) for row in rows)
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


def _commit_rejected(session: Session, plan: Sequence[Entry], rejected: list[dict]) -> None:
    """Writes a failure for each caption that is not fit, with its reason: decided on the driver, from the tables alone."""
    if session.has_plan:
        return
    for entry in plan:
        own = sorted((row for row in rejected if row["captioner"] == entry.label), key=lambda row: row["input_id"])
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
