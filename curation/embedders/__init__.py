"""Embedders by name. Each file is imported only when its embedder is asked for."""

from typing import Any

from curation.detectors import build, load_class
from curation.detectors import fingerprint as tool_version  # `fingerprint` is a module here
from curation.embedders.base import Embedder

EMBEDDERS: dict[str, str] = {
    "fingerprint": "curation.embedders.fingerprint:FingerprintEmbedder",
    "sscd": "curation.embedders.sscd:SscdEmbedder",
    "clip": "curation.embedders.clip:ClipEmbedder",
}
"""Name in YAML -> `module:Class`."""


def load_embedder(name: str, params: dict[str, Any] | None = None) -> Embedder:
    """The embedder of a name, or of the user's own `module:Class`, with its parameters set.

    Raises UsageError naming the nearest right name, an unknown parameter, a missing package or missing weights.
    """
    return build("embedder", name, load_class("embedder", name, EMBEDDERS), params or {})


def embedder_version(embedder: Embedder) -> str:
    """Hash of name, version, parameters, packages and weights: another one means other vectors."""
    return tool_version(embedder)
