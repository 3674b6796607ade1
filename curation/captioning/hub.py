"""A model of the Hugging Face hub by id and commit, as a folder: from the hub's cache, or fetched into it."""

import re
from functools import lru_cache
from pathlib import Path

from moviegen.errors import UsageError

FILES = ("*.json", "*.safetensors", "*.jinja", "*.txt", "*.model")
"""What is fetched: configuration, weights, tokenizer. No code and no pickle."""


def check_hub(what: str, hub_id: str, revision: str | None) -> None:
    """Raises UsageError when this names no model for good."""
    if re.fullmatch(r"[\w.-]+/[\w.-]+", hub_id) is None:
        raise UsageError(f"{what}: hub_id is {hub_id!r}, wanted owner/name; a folder goes into `model`")
    if revision is None or re.fullmatch(r"[0-9a-f]{40}", revision) is None:
        raise UsageError(
            f"{what}: revision is {revision!r}, wanted the commit of {hub_id}, 40 hex digits: a branch would be another model tomorrow"
        )


@lru_cache(maxsize=8)
def hub_folder(hub_id: str, revision: str) -> Path:
    """The folder of a model's files. Raises UsageError when the cache has none and they cannot be fetched."""
    from huggingface_hub import snapshot_download

    options = {"revision": revision, "allow_patterns": list(FILES)}
    try:
        return Path(snapshot_download(hub_id, local_files_only=True, **options))
    except OSError:
        pass  # not in the cache, or not whole
    try:
        return Path(snapshot_download(hub_id, **options))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{hub_id} at {revision[:8]} is not in the hub's cache and cannot be fetched: {' '.join(str(error).split())[:300]}. "
            f"Put its files into a folder and give that as `model`"
        ) from error
