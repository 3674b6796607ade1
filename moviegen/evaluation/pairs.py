"""What is measured beside what: files of two folders by name, never by order. What has no partner is a row that says so."""

from dataclasses import dataclass
from pathlib import Path

from moviegen.errors import UsageError
from moviegen.evaluation.files import KINDS, list_media, one_each
from moviegen.evaluation.prompt_sets import Prompt, PromptSet


@dataclass(frozen=True)
class Item:
    """A file to measure and what belongs to it."""

    name: str
    """Path below its folder without suffix: what pairs go by."""
    path: Path | None
    reference: Path | None = None
    mask: Path | None = None
    pictures: tuple[Path, ...] = ()
    """Of the person, for identity."""
    prompt: Prompt | None = None
    fault: str = ""
    """Why it cannot be measured at all."""
    reference_fault: str = ""
    """Why it cannot be compared."""
    is_reference_only: bool = False
    """Only the reference has a file of this name."""


def make_items(
    generated: Path,
    reference: Path | None = None,
    *,
    masks: Path | None = None,
    pictures: Path | None = None,
    prompts: PromptSet | None = None,
) -> list[Item]:
    """Every file of `generated`, and every one of `reference` that has no partner there, by name. Raises UsageError on an empty folder,
    or where no file is of one of the prompts."""
    files, faults = one_each(list_media(generated))
    others, other_faults = one_each(list_media(reference)) if reference else ({}, {})
    mask_files, _ = one_each(list_media(masks, ("video", "image"))) if masks else ({}, {})
    if prompts and files and not any(prompts.find(name) for name in files):
        raise UsageError(prompts.no_match(list(files)))
    items = []
    for name in sorted(set(files) | set(faults) | set(others) | set(other_faults)):
        path, other = files.get(name), others.get(name)
        reference_fault = other_faults.get(name, "")
        if reference and other is None and not reference_fault:
            reference_fault = f"no file of this name in {reference.name}/"
        fault = faults.get(name, "" if path else f"no file of this name in {generated.name}/, only in the reference")
        items.append(
            Item(
                name,
                path,
                other,
                mask_files.get(name),
                _pictures_of(pictures, name),
                prompt_of(path, name, prompts),
                fault,
                reference_fault,
                path is None and name not in faults,
            )
        )
    return items


def _pictures_of(folder: Path | None, name: str) -> tuple[Path, ...]:
    """Pictures of a person: `<name>.jpg`, or all in a folder `<name>`."""
    if folder is None:
        return ()
    alone = [folder / f"{name}{suffix}" for suffix in KINDS["image"] if (folder / f"{name}{suffix}").is_file()]
    inside = [p for p in sorted((folder / name).glob("*")) if p.suffix.lower() in KINDS["image"]]
    return (*alone, *inside)


def prompt_of(path: Path | None, name: str, prompts: PromptSet | None) -> Prompt | None:
    """From the set of prompts, else from a `.txt` beside the file."""
    if found := prompts.find(name) if prompts else None:
        return found
    beside = path.with_suffix(".txt") if path else None
    try:
        return Prompt(name, beside.read_text(encoding="utf-8").strip()) if beside and beside.is_file() else None
    except (OSError, UnicodeDecodeError):
        return None
