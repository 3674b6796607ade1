"""Detectors by name. Each file is imported only when its detector is asked for."""

import dataclasses
import difflib
import importlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

from curation.detectors.base import Detector
from moviegen.contracts.clip import file_sha256, hash_id
from moviegen.errors import UsageError

DETECTORS: dict[str, str] = {
    "probe": "curation.detectors.probe:ProbeDetector",
    "motion": "curation.detectors.motion:MotionDetector",
    "borders": "curation.detectors.borders:BordersDetector",
    "jitter": "curation.detectors.jitter:JitterDetector",
    "still": "curation.detectors.still:StillDetector",
    "light": "curation.detectors.light:LightDetector",
    "camera": "curation.detectors.camera:CameraDetector",
    "audio": "curation.detectors.audio:AudioDetector",
    "onsets": "curation.detectors.onsets:OnsetsDetector",
    "speech": "curation.detectors.speech:SpeechDetector",
    "sound_tags": "curation.detectors.sound_tags:SoundTagsDetector",
    "audio_quality": "curation.detectors.audio_quality:AudioQualityDetector",
    "sync": "curation.detectors.sync:SyncDetector",
    "aesthetic": "curation.detectors.aesthetics:AestheticDetector",
    "faces": "curation.detectors.faces:FacesDetector",
    "objects": "curation.detectors.objects:ObjectsDetector",
    "quality": "curation.detectors.quality:QualityDetector",
    "ocr": "curation.detectors.ocr:OcrDetector",
    "clip": "curation.detectors.clip_score:ClipDetector",
    "nsfw": "curation.detectors.frame_classes:NsfwDetector",
    "watermark": "curation.detectors.frame_classes:WatermarkDetector",
}
"""Name in YAML -> `module:Class`."""


def load_detector(name: str, params: dict[str, Any] | None = None) -> Detector:
    """The detector of a name, or of the user's own `module:Class`, with its parameters set.

    Raises UsageError naming the nearest right name, an unknown parameter, a missing package or a missing weights file.
    """
    detector_class = load_class("detector", name, DETECTORS)
    return build("detector", name, detector_class, params or {})


def load_class(kind: str, name: str, table: dict[str, str]) -> type:
    """The class that `name` stands for in `table`, or of the dotted path `module:Class`. Raises UsageError."""
    target = table.get(name, name)
    module, _, attribute = target.partition(":")
    if not attribute:
        close = difflib.get_close_matches(name, table, 1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise UsageError(f"no {kind} {name!r}; {hint}there are {', '.join(table)}, or give your own as module:Class")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"{kind} {name!r}: {target} cannot be imported: {error}") from error


def build(kind: str, name: str, class_: type, params: dict[str, Any]) -> Any:
    """An instance with its fields set from YAML; texts become paths where the field is one. Raises UsageError."""
    fields = {f.name: f for f in dataclasses.fields(class_)}
    for key in params:
        if key not in fields:
            raise UsageError(f"{kind} {name}: no parameter {key!r}; it has {', '.join(fields) or 'none'}")
    wanted = [
        f.name for f in fields.values() if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    if missing := [each for each in wanted if each not in params]:
        raise UsageError(
            f"{kind} {name}: needs {' and '.join(missing)}; set {'them' if len(missing) > 1 else 'it'} in the YAML"
        )
    values = {key: Path(v) if "Path" in str(fields[key].type) and v is not None else v for key, v in params.items()}
    try:
        return class_(**values)
    except (TypeError, ValueError) as error:
        raise UsageError(str(error) if isinstance(error, UsageError) else f"{kind} {name}: {error}") from error


def detector_version(detector: Detector) -> str:
    """Hash of name, version, parameters, packages with weights, and weights: another one means other numbers.

    A weights file counts by its bytes, not by where it lies.
    """
    return fingerprint(detector)


def fingerprint(tool: Any) -> str:
    """Hash of a detector or captioner: name, version, fields, the versions of its packages, the bytes of its weights.

    Fields with `compare=False` do not count: they change how it works, not what it says.
    """
    values = {f.name: _plain(getattr(tool, f.name)) for f in dataclasses.fields(tool) if f.compare}
    packages = {package: version(package) for package in tool.packages}
    return hash_id(tool.name, tool.version, values, packages)


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return hash_id(*((str(p.relative_to(value)), file_sha256(p)) for p in _files(value)))
    return value


def _files(path: Path) -> list[Path]:
    return sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
