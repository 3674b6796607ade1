"""Models of the transformers library in a folder on disk: nothing is fetched, no code of theirs is run, weights are safetensors only."""

from pathlib import Path
from typing import Any

from curation.detectors.base import check_package
from moviegen.errors import UsageError

FILES = ("config.json", "preprocessor_config.json", "model.safetensors")
"""What `save_pretrained` writes of a classifier and of what prepares its inputs."""

MAX_NAMED = 4
"""Weights named when some are lacking."""

MAX_TOLD_CHARS = 500
"""Of what the library says of a folder that it cannot read."""


def check_folder(name: str, who: str, folder: Path, advice: str) -> None:
    """Raises UsageError saying what to put where when a file of the folder is not there, or transformers is not."""
    check_package(name, "transformers", "pip install 'moviegen[models]'")
    if missing := [file for file in FILES if not (folder / file).is_file()]:
        raise UsageError(f"{who}: no {', '.join(missing)} in {folder}. {advice}")


def load_pretrained(
    who: str, folder: Path | str, what: str, network_class: Any, reader_class: Any, **options: Any
) -> tuple[Any, Any]:
    """(network, what prepares its inputs) of a folder, of these two classes of the library.

    `options` go to the network. Raises UsageError when the folder is not `what` ("an image classifier") or lacks weights of it.
    """
    only = {"local_files_only": True, "trust_remote_code": False}
    try:
        network, report = network_class.from_pretrained(
            folder, use_safetensors=True, output_loading_info=True, **only, **options
        )
        reader = reader_class.from_pretrained(folder, **only)
    except Exception as error:
        raise UsageError(f"{who}: {folder} cannot be read as {what}: {str(error)[:MAX_TOLD_CHARS]}") from error
    if report["missing_keys"]:
        # transformers fills them with random numbers and says so in a warning only
        lacking = ", ".join(sorted(report["missing_keys"])[:MAX_NAMED])
        raise UsageError(f"{who}: {folder} lacks weights of {type(network).__name__}: {lacking}")
    return network.eval(), reader
