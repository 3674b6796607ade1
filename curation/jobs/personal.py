"""Personal: faces of the clips whose caption mentions a human, then the samples of those with one person [S §4.2.1]."""

import functools
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from curation.config import CurateConfig
from curation.detectors import fingerprint, load_detector
from curation.detectors.faces import FacesDetector
from curation.personal import (
    PersonalConfig,
    check_identity,
    cross_partners,
    face_frames,
    find_people,
    mentions_human,
    reference_places,
    reject_person,
)
from curation.rows import read_table
from curation.sets import SetSample, write_set_shard
from curation.shards import EncodeConfig, encode_version
from moviegen.contracts.clip import Clip, file_sha256, hash_id
from moviegen.cutout import load_segment

from .chosen import chosen_captions, kept_clips
from .clips import Batch, read_signals, worker_limits
from .ingest import read_unchanged
from .parts import Operation, Rows, Task, attempt
from .session import Session, Work
from .shard import ENCODING_COST, clip_gigapixels, shard_inputs

PEOPLE_TABLES = ("failures", "people")
SAMPLE_TABLES = ("failures", "set_samples", "set_shards")

VERSION = 1
"""Raised when the same clip and settings give other people."""

SAMPLES_VERSION = 2
"""Raised when the same people give other samples."""

LOOKING_S = 3.0
"""CPU-seconds that finding the faces of a clip takes, at least."""


def personal(session: Session) -> None:
    """Writes the faces and the tars that are missing."""
    config = session.config.personal
    check_identity(config)
    load_segment("personal", config.segmentation, config.segmenter)
    batch = Batch(session.lake, session.batch)
    wanted = _wanted(session, batch)
    finding = _finding(session.config)
    inputs = {clip_id: batch.source(clip_id) for clip_id in wanted}
    session.perform("personal faces", [Work(finding, inputs, valid=set(batch.clips), extra_s=LOOKING_S)])
    if session.has_plan:
        session.progress.say("then personal samples, of the clips that show one person")
        return
    samples = sample_inputs(session, batch, wanted)
    writing = _writing(session.config)
    work = Work(writing, samples, cost=lambda key: ENCODING_COST * clip_gigapixels(samples[key]["clip"]))
    session.perform(f"personal {config.subset}", [work])


def _wanted(session: Session, batch: Batch) -> list[str]:
    """Kept clips with a caption, of a human where the config asks for it."""
    config = session.config
    captions = chosen_captions(config.caption, batch)
    kept = sorted(kept_clips(session.lake, session.batch, config.subset) & set(batch.clips) & set(captions))
    wanted = [c for c in kept if not config.personal.needs_human_caption or mentions_human(captions[c]["text"])]
    session.progress.say(f"personal: {len(wanted)} of {len(kept)} captioned clips speak of a human")
    return wanted


def _finding(config: CurateConfig) -> Operation:
    detector = load_detector("faces", config.personal.faces)
    version = hash_id("personal people", VERSION, fingerprint(detector), config.personal.num_references)
    params = {"personal": _plain(config.personal), "limits": worker_limits(config)}
    return Operation("personal:people", version, PEOPLE_TABLES, "curation.jobs.personal:people_rows", params)


def _writing(config: CurateConfig) -> Operation:
    segmenter = config.personal.segmenter
    settings = {**_plain(config.personal), "faces": None, "segmenter": segmenter and file_sha256(segmenter)}
    version = hash_id("personal samples", SAMPLES_VERSION, encode_version(config.shard.encode), settings)
    params = {
        "personal": _plain(config.personal),
        "encode": asdict(config.shard.encode),
        "limits": worker_limits(config),
    }
    name = f"personal:{config.personal.subset}"
    return Operation(name, version, SAMPLE_TABLES, "curation.jobs.personal:sample_rows", params)


def _plain(config: PersonalConfig) -> dict:
    """The config as plain JSON."""
    return asdict(config) | {"segmenter": None if config.segmenter is None else str(config.segmenter)}


def _config(values: dict) -> PersonalConfig:
    return PersonalConfig(**values | {"segmenter": values["segmenter"] and Path(values["segmenter"])})


def sample_inputs(session: Session, batch: Batch, wanted: list[str]) -> dict[str, dict]:
    """Plain JSON of each clip of one person by key: paired with itself, and crossed where another clip shows the same one."""
    config = session.config.personal
    rows = {
        row["clip_id"]: row for row in read_table(session.lake, "people", session.batch) if row["clip_id"] in wanted
    }
    reasons = {clip_id: reject_person(row, config) for clip_id, row in rows.items()}
    people = {clip_id: rows[clip_id] for clip_id in sorted(rows) if not reasons[clip_id]}
    views = {clip_id: (batch.clips[clip_id]["video_id"], batch.clips[clip_id]["shot"]) for clip_id in people}
    partners = cross_partners(people, views, config)
    counts = Counter(reason or "one person" for reason in reasons.values())
    told = ", ".join(f"{reason} {count}" for reason, count in sorted(counts.items()))
    session.progress.say(
        f"personal: {told or 'no clip was looked at'}; {len(partners)} with another view of the same person"
    )
    facts = {source["clip"]["clip_id"]: source for source in shard_inputs(session).values()}
    inputs = {}
    for clip_id, row in people.items():
        pairs = [("paired", clip_id, None)]
        pairs += [("cross", *partners[clip_id])] if clip_id in partners else []
        made = {n: facts[clip_id][n] for n in ("clip", "caption", "bucket", "scores", "heard") if n in facts[clip_id]}
        made |= {"identity_step": row["identity_step"], "pairs": []}
        for pairing, other, cosine in pairs:
            places = reference_places(people[other], config)
            made["pairs"].append({"pairing": pairing, "other": batch.clips[other], "cosine": cosine, "places": places})
        used = {other: batch.videos[views[other][0]] for _, other, _ in pairs}
        inputs[f"{clip_id}-{hash_id(made)}"] = made | {"videos": used}
    return inputs


def people_rows(task: Task) -> Rows:
    """Rows of `people` and `failures` for a group of clips."""
    rows: Rows = {name: [] for name in PEOPLE_TABLES}
    config = _config(task.operation.params["personal"])
    detector = _detector(json.dumps(config.faces, sort_keys=True))
    for source in task.inputs:
        clip_id = source["clip"]["clip_id"]
        row = attempt(
            task.operation.name,
            clip_id,
            lambda source=source: _people(task, source, config, detector),
            rows["failures"],
        )
        rows["people"] += [row] if row is not None else []
    return rows


def _people(task: Task, source: dict, config: PersonalConfig, detector: FacesDetector) -> dict:
    clip = Clip(**source["clip"])
    stamps = read_signals(task.lake, source)["pts"]
    pts = [int(stamps[i]) for i in face_frames(clip.duration, config).indices(clip.num_frames)]
    call = ("curation.personal_samples.clip_pictures", clip, source["video"], pts)
    pictures = read_unchanged([source["video"]], *call, **task.operation.params["limits"])
    return {"clip_id": clip.clip_id} | find_people(detector, pictures, pts)


@functools.cache
def _detector(params: str) -> FacesDetector:
    """The detector, loaded once a worker."""
    return load_detector("faces", json.loads(params))


def sample_rows(task: Task) -> Rows:
    """Writes one tar; its rows of `set_shards`, `set_samples` and `failures`."""
    rows: Rows = {name: [] for name in SAMPLE_TABLES}
    config = _config(task.operation.params["personal"])
    samples = []
    for source in task.inputs:
        made = attempt(
            task.operation.name,
            source["clip"]["clip_id"],
            lambda source=source: _samples(task, source, config),
            rows["failures"],
        )
        samples += made or []
    if not samples:
        return rows
    written = write_set_shard(task.lake.root, "personal", config.subset, samples)
    for row in written["set_shards"]:
        task.lake.publish(row["path"], row["sha256"])
    return rows | written


def _samples(task: Task, source: dict, config: PersonalConfig) -> list[SetSample]:
    params = task.operation.params
    return read_unchanged(
        source["videos"].values(),
        "curation.personal_samples.personal_samples",
        source,
        config=config,
        encode=EncodeConfig(**params["encode"]),
        **params["limits"],
    )
