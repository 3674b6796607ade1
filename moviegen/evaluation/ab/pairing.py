"""Two folders of generated files as pairs, by name and never by order; whatever has no partner is a row with its reason."""

from dataclasses import dataclass
from pathlib import Path

from moviegen.errors import UsageError
from moviegen.evaluation.files import kind_of, list_media, several


@dataclass(frozen=True)
class Pair:
    """What both models made of one prompt."""

    name: str
    """Path below both folders, without suffix: the prompt's id."""
    kind: str
    """video, image or sound."""
    a: Path
    b: Path
    reference: Path | None = None
    """What both were given: the source of an edit, the picture of a person."""


@dataclass(frozen=True)
class Skipped:
    """A name that is not in the study."""

    name: str
    reason: str


def pair_by_name(a: Path, b: Path, reference: Path | None = None) -> tuple[list[Pair], list[Skipped]]:
    """(pairs, what is left out and why), both in the order of names. Raises UsageError when no name is in both folders."""
    files_a, files_b = list_media(a), list_media(b)
    references = list_media(reference) if reference else {}
    pairs, skipped = [], []
    for name in sorted({*files_a, *files_b}):
        reason = _why_not(name, files_a, files_b)
        if not reason and reference and len(references.get(name, [])) != 1:
            reason = f"{len(references.get(name, []))} files of this name in {reference}, wanted one"
        if reason:
            skipped.append(Skipped(name, reason))
            continue
        (one,), (two,) = files_a[name], files_b[name]
        pairs.append(Pair(name, kind_of(one), one, two, references[name][0] if reference else None))
    if not pairs:
        raise UsageError(
            f"{a} and {b}: no name is in both, so nothing can be compared ({skipped[0].name}: {skipped[0].reason}); "
            "files are paired by their name without suffix: one prompt, one name, in both folders"
        )
    return pairs, skipped


def _why_not(name: str, files_a: dict[str, list[Path]], files_b: dict[str, list[Path]]) -> str:
    ones, twos = files_a.get(name, []), files_b.get(name, [])
    if not ones or not twos:
        return f"only in {'B' if twos else 'A'}"
    if len(ones) > 1 or len(twos) > 1:
        return several(ones if len(ones) > 1 else twos)
    kinds = {kind_of(path) for path in (ones[0], twos[0])}
    return f"different kinds: {' and '.join(sorted(kinds))}" if len(kinds) > 1 else ""
