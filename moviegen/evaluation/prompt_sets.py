"""Sets of prompts from a path, in the formats they are published in: Movie Gen Bench, its audio part, VBench, and our own YAML.

None of the benchmarks is in the repository (Movie Gen Bench is CC BY-NC 4.0): they are read where you put them, and the set's SHA-256
goes into whatever was made of it.
"""

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from moviegen.errors import UsageError
from moviegen.pipelines.jobs import file_stem

MOTION_LEVELS = ("low", "medium", "high")
"""[S §3.5.2]."""


@dataclass(frozen=True)
class Prompt:
    """One prompt of a set."""

    id: str
    """Name of the generated file without suffix: the set's own id, or `<row>_<words>` as `moviegen generate` writes it."""
    text: str
    """What is to be seen."""
    tags: tuple[str, ...] = ()
    """Concepts (Movie Gen Bench), dimensions (VBench); each once."""
    motion_level: str = ""
    """low, medium, high, or empty."""
    sound: str = ""
    """What is to be heard."""
    music: str = ""
    source_text: str = ""
    """Caption of the clip before an edit."""

    @property
    def labels(self) -> tuple[str, ...]:
        """What results are told apart by: the tags, and the motion level as one."""
        return (*self.tags, *([f"motion {self.motion_level}"] if self.motion_level else []))


@dataclass(frozen=True)
class PromptSet:
    """A file of prompts."""

    path: Path
    sha256: str
    format: str
    prompts: tuple[Prompt, ...]

    def find(self, name: str) -> Prompt | None:
        """The prompt of a generated file by its name: the id, the text, `<text>-<k>` as VBench wants it, or, in a set without ids of its
        own, the row's number alone (`0003`). A number in front of other words is no match: it may be another set's."""
        stem = name.rsplit("/", 1)[-1]
        text, _, index = stem.rpartition("-")
        found = self._by_key.get(name) or self._by_key.get(stem)
        return found or (self._by_key.get(text) if index.isdecimal() else None)

    def no_match(self, names: Sequence[str]) -> str:
        """What to say where none of the names is of a prompt."""
        return (
            f"{self.path}: none of the {len(names)} files is of one of its {len(self.prompts)} prompts: files are called "
            f"{names[0]!r}, the set's ids are like {self.prompts[0].id!r}"
        )

    @cached_property
    def _by_key(self) -> dict[str, Prompt]:
        keys: dict[str, Prompt] = {}
        for row, prompt in enumerate(self.prompts):
            numbered = prompt.id == _numbered(row, prompt.text).id
            for key in (prompt.id, prompt.text, *((f"{row:04d}",) if numbered else ())):
                keys.setdefault(key, prompt)
        return keys


def read_prompts(path: Path) -> PromptSet:
    """The prompts of a .txt (one a line), .csv (prompt, concept, motion_level), .jsonl, .json (VBench's full_info) or .yaml (ours), or of a
    folder of .txt files (VBench's dimensions).

    Raises UsageError naming the row that does not fit, or the id that stands twice.
    """
    if not path.exists():
        raise UsageError(
            f"--prompts {path}: no such file or folder; wanted .txt, .csv, .jsonl, .json, .yaml, or a folder of .txt"
        )
    files = sorted(path.glob("*.txt")) if path.is_dir() else [path]
    if not files:
        raise UsageError(f"{path}: a folder without .txt; wanted VBench's prompts_per_dimension, or a file")
    try:
        contents = {file: file.read_bytes() for file in files}
        texts = {file: content.decode("utf-8-sig") for file, content in contents.items()}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--prompts {path}: {error}") from error
    digest = hashlib.sha256(b"".join(contents.values())).hexdigest()
    if path.is_dir():
        name, rows = (
            "VBench, by dimension",
            _merged(Prompt(line, line, (file.stem,)) for file, text in texts.items() for line in _lines(text)),
        )
    else:
        name, rows = _parse(path, texts[path])
    if not rows:
        raise UsageError(f"{path}: holds no prompt")
    word, count = Counter(prompt.id for prompt in rows).most_common(1)[0]
    if count > 1:
        raise UsageError(f"{path}: the id {word!r} stands {count} times; every prompt needs its own")
    return PromptSet(path, digest, name, tuple(rows))


def _parse(path: Path, text: str) -> tuple[str, list[Prompt]]:
    suffix = path.suffix.lower()
    if suffix == ".txt":
        return "one a line", [_numbered(row, line) for row, line in enumerate(_lines(text))]
    if suffix == ".csv":
        return "csv", list(_csv_rows(path, text))
    if suffix == ".jsonl":
        rows = [_json(path, line, number) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        return "jsonl", [_record(path, row, number) for number, row in enumerate(rows)]
    if suffix == ".json":
        rows = _json(path, text, 1)
        if not isinstance(rows, list):
            raise UsageError(f"{path}: is a {type(rows).__name__}, wanted a list of prompts as VBench_full_info.json")
        return "json", _merged(_record(path, row, number) for number, row in enumerate(rows))
    if suffix in (".yaml", ".yml"):
        return "yaml", _yaml_rows(path, text)
    raise UsageError(f"--prompts {path}: wanted .txt, .csv, .jsonl, .json, .yaml, or a folder of .txt")


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _numbered(row: int, text: str, **values: Any) -> Prompt:
    return Prompt(f"{row:04d}_{file_stem(text)}", text, **values)


def _csv_rows(path: Path, text: str) -> Iterator[Prompt]:
    reader = csv.DictReader(io.StringIO(text))
    if "prompt" not in (reader.fieldnames or ()):
        raise UsageError(f"{path}: columns {reader.fieldnames}, wanted prompt, and concept and motion_level if known")
    yield from (_record(path, row, number) for number, row in enumerate(reader))


def _record(path: Path, row: Any, number: int) -> Prompt:
    """A prompt of a mapping, whatever of the published names its values have. An `expanded_prompt` (what a model was given) is left out:
    people judge by what was asked for."""
    if not isinstance(row, dict):
        raise UsageError(f"{path}: row {number + 1} is a {type(row).__name__}, wanted an object with a prompt")
    text = _first(row, "prompt", "video_prompt", "prompt_en", "text")
    if not text:
        raise UsageError(f"{path}: row {number + 1} has no prompt; its keys: {', '.join(map(str, row))}")
    values = {
        "tags": split_tags(row.get("concept") or row.get("tags") or row.get("dimension") or ()),
        "motion_level": _first(row, "motion_level"),
        "sound": _first(row, "audio_prompt", "sound"),
        "music": _first(row, "music_prompt", "music"),
        "source_text": _first(row, "source_prompt", "source_text"),
    }
    if row.get("path"):
        return Prompt(Path(str(row["path"])).stem, text, **values)
    if (own := next((row[name] for name in ("id", "name") if row.get(name) not in (None, "")), None)) is not None:
        return Prompt(str(own), text, **values)
    if "prompt_en" in row:  # VBench names files by the prompt itself
        return Prompt(text, text, **values)
    return _numbered(number, text, **values)


def _first(row: dict, *names: str) -> str:
    return next((str(row[name]).strip() for name in names if row.get(name)), "")


def split_tags(value: Any) -> tuple[str, ...]:
    """Tags of a comma-separated text or of a list, each once: the published table repeats some in a cell."""
    words = value.split(",") if isinstance(value, str) else value
    return tuple(dict.fromkeys(str(word).strip() for word in words if str(word).strip()))


def _merged(prompts: Iterator[Prompt]) -> list[Prompt]:
    """One prompt a text, with the tags of all its rows: VBench uses a prompt for several dimensions."""
    found: dict[str, Prompt] = {}
    for prompt in prompts:
        before = found.get(prompt.id)
        tags = tuple(dict.fromkeys((*(before.tags if before else ()), *prompt.tags)))
        found[prompt.id] = replace(prompt, tags=tags)
    return list(found.values())


def _yaml_rows(path: Path, text: str) -> list[Prompt]:
    import yaml

    try:
        rows = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: {error}") from error
    rows = rows.get("prompts") if isinstance(rows, dict) else rows
    if not isinstance(rows, list):
        raise UsageError(f"{path}: wanted a list of prompts under `prompts`")
    return [_record(path, row, number) for number, row in enumerate(rows)]


def _json(path: Path, text: str, number: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"{path}: line {number}: {error}") from error


def count_tags(prompts: Sequence[Prompt]) -> dict[str, int]:
    """Prompts of each tag, most frequent first; a prompt counts for each of its tags."""
    return dict(Counter(tag for prompt in prompts for tag in prompt.tags).most_common())
