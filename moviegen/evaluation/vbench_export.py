"""Generated files under the names that VBench wants. Names are those of its repository (Vchitect/VBench, Apache-2.0:
prompts/README.md)."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from moviegen.contracts.lake import atomic_write

from .ab.pairing import Skipped
from .files import kind_of, list_media
from .prompt_sets import read_prompts

NUM_SAMPLES = 5
"""Videos a prompt, indices 0 to 4."""

MAX_NAME_BYTES = 255
"""Of a file name on the usual file systems."""


@dataclass(frozen=True)
class ExportConfig:
    """Generated files as VBench wants them: OUTPUT/<prompt>-<k>.mp4."""

    inputs: list[Path]
    """Folders of generated files, one a sample: the first is k = 0. Files are found by the prompts' ids or texts."""
    prompts: Path
    """VBench_full_info.json, all_dimension.txt, or the folder prompts_per_dimension."""
    output: Path
    samples: int = NUM_SAMPLES
    """Videos a prompt that VBench wants; what is missing of them is a row."""
    dry_run: bool = False
    """Say what would be copied and what is missing, write nothing."""


@dataclass(frozen=True)
class Exported:
    """What an export comes to."""

    copies: dict[Path, str]
    """Source -> name in the output."""
    missing: list[Skipped] = field(default_factory=list)


def export(config: ExportConfig) -> Exported:
    """Copies the files and writes `prompts.json` (file -> prompt, as VBench's own-prompt mode reads it) and `missing.json`."""
    found = read_prompts(config.prompts)
    copies: dict[Path, str] = {}
    missing: list[Skipped] = []
    names: dict[str, str] = {}
    for k, folder in enumerate(config.inputs):
        for name, paths in list_media(folder).items():
            prompt = found.find(name)
            if prompt is None or kind_of(paths[0]) != "video":
                missing.append(
                    Skipped(f"{folder.name}/{name}", "no prompt of this name" if prompt is None else "no video")
                )
                continue
            target = f"{prompt.text}-{k}{paths[0].suffix.lower()}"
            if reason := _bad_name(target) or ("another file is of the same prompt" if target in names else ""):
                missing.append(Skipped(f"{folder.name}/{name}", reason))
                continue
            copies[paths[0]], names[target] = target, prompt.text
    have = {name.rpartition(".")[0] for name in names}
    for prompt in found.prompts:
        lacking = [k for k in range(config.samples) if f"{prompt.text}-{k}" not in have]
        if lacking:
            missing.append(Skipped(prompt.text, f"no sample {', '.join(map(str, lacking))}"))
    if not config.dry_run:
        _write_export(config.output, copies, names, missing)
    return Exported(copies, missing)


def _bad_name(name: str) -> str:
    if "/" in name or "\0" in name or name.startswith("."):
        return "the prompt cannot be a file's name"
    size = len(name.encode())
    return f"the name would be {size} bytes long, at most {MAX_NAME_BYTES}" if size > MAX_NAME_BYTES else ""


def _write_export(
    output: Path, copies: Mapping[Path, str], names: Mapping[str, str], missing: Sequence[Skipped]
) -> None:
    videos = output / "videos"
    videos.mkdir(parents=True, exist_ok=True)
    for source, name in copies.items():
        with atomic_write(videos / name, "page") as temporary:
            shutil.copyfile(source, temporary)
    notes = {"prompts.json": dict(sorted(names.items())), "missing.json": [vars(row) for row in missing]}
    for name, content in notes.items():
        with atomic_write(output / name, "page") as temporary:
            temporary.write_text(json.dumps(content, ensure_ascii=False, indent=1) + os.linesep)
