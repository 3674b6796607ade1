"""Captioners by name. Each file is imported only when its captioner is asked for."""

from typing import Any

from curation.captioning.base import Captioner
from curation.detectors import build, fingerprint, load_class

CAPTIONERS: dict[str, str] = {
    "source": "curation.captioning.source:SourceCaptioner",
    "template": "curation.captioning.template:TemplateCaptioner",
    "endpoint": "curation.captioning.endpoint:EndpointCaptioner",
    "audio_template": "curation.captioning.audio_template:AudioTemplateCaptioner",
    "transformers_vlm": "curation.captioning.transformers_vlm:VlmCaptioner",
}
"""Name in YAML -> `module:Class`."""


def load_captioner(name: str, params: dict[str, Any] | None = None) -> Captioner:
    """The captioner of a name, or of the user's own `module:Class`, with its parameters set.

    Raises UsageError naming the nearest right name, an unknown parameter, a missing package or missing weights.
    """
    return build("captioner", name, load_class("captioner", name, CAPTIONERS), params or {})


def captioner_version(captioner: Captioner) -> str:
    """Hash of name, version, parameters, packages and weights: another one means another text."""
    return fingerprint(captioner)
