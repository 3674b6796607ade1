"""What files hold that were not ingested yet, and how many of them nobody can open: all of a few probed, of many a sample."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from curation.accounting import MAX_SHOWN, allowing
from curation.config import CurateConfig
from curation.costs import Media, media_of
from curation.jobs.ingest import error_text, probe_guarded
from curation.stats.reasons import short_reasons
from moviegen.contracts.store import url_of
from moviegen.errors import StorageError
from moviegen.media.limits import RefusedMediaError

SAMPLED_FILES = 16
"""Files probed, or up to twice as many, to stand for those that were not."""


@dataclass(frozen=True)
class FirstLook:
    """What a probe of some files, or of all, tells of all."""

    media: Media
    """What those hold that can be opened."""
    num_files: int = 0
    num_probed: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    """Probed files that cannot be opened, by short reason."""
    num_known: int = 0
    """Other files of the batch, ingested before."""
    num_known_failed: int = 0

    def lines(self, max_failed_fraction: float) -> list[str]:
        """Which cannot be opened and why; what that means for a run of which such a share may fail. Nothing where all can be opened."""
        if not (failed := self.reasons.total()):
            return []
        is_all = self.num_probed == self.num_files
        why = ", ".join(f"{reason} {count}" for reason, count in self.reasons.most_common(MAX_SHOWN))
        more = ", ..." if len(self.reasons) > MAX_SHOWN else ""
        lines = [f"{failed} of {self.num_probed} {'files' if is_all else 'probed'} cannot be opened: {why}{more}"]
        expected = self.num_known_failed + failed * self.num_files / self.num_probed
        share = expected / (self.num_known + self.num_files)
        if share > max_failed_fraction:
            lines.append(
                f"so {'' if is_all else 'about '}{share:.1%} of the batch's files fail, and limits.max_failed_fraction allows "
                f"{max_failed_fraction:.1%}: the run would end with 3, the others' shards made; if so many may fail: {allowing(share)}"
            )
        return lines


def look_at(files: Sequence[dict], config: CurateConfig, known: Sequence[str]) -> FirstLook:
    """What files that nobody has opened hold: a few of them, evenly by size, are probed; a byte of the others holds as much, and as many
    of them cannot be opened. `known` has the status of the batch's other files."""
    ordered = sorted(files, key=lambda file: (file["size_bytes"], file["uri"]))
    step = max(1, len(ordered) // SAMPLED_FILES)
    rows = [_probed(file, config) for file in ordered[step // 2 :: step]]
    failed = [row for row in rows if "error" in row]
    return FirstLook(
        _scaled(rows, files), len(files), len(rows), short_reasons(failed), len(known), list(known).count("failed")
    )


def _scaled(rows: Sequence[dict], files: Sequence[dict]) -> Media:
    readable = [row for row in rows if "error" not in row]
    num_bytes = sum(row["size_bytes"] for row in rows)
    if not readable or not num_bytes:
        return Media()
    probed = sum(map(media_of, readable), Media())
    like = vars(probed.scaled(sum(file["size_bytes"] for file in files) / num_bytes))
    num_files = round(len(files) * len(readable) / len(rows))
    return Media(**like | {"num_files": num_files, "num_probed": len(readable)})


def _probed(file: dict, config: CurateConfig) -> dict:
    """The row of a file as ingest would write it, but for its hash; with `error` only where it cannot be opened."""
    from curation.remote import fetch_now

    limits = {"timeout_s": config.limits.probe_timeout_s, "memory_bytes": config.limits.memory_mb << 20}
    facts = {"uri": file["uri"], "size_bytes": file["size_bytes"]}
    try:
        if file.get("problem"):
            raise RefusedMediaError(f"{file['uri']}: {file['problem']}")
        path = file["uri"] if url_of(file["uri"]) is None else str(fetch_now(file["uri"]))
        return facts | probe_guarded(path, limits)
    except StorageError:  # no fault of the file's
        raise
    except Exception as error:  # a bad file is a line of the plan, never its end
        return facts | {"error": error_text(error)}
