"""By what `moviegen soundtrack` chooses the best of several sounds: checked before any model is loaded."""

from pathlib import Path
from typing import TYPE_CHECKING

from moviegen.errors import UsageError

if TYPE_CHECKING:
    from moviegen.pipelines.soundtrack_cli import SoundtrackConfig


def check_score(config: "SoundtrackConfig") -> None:
    """Raises UsageError when there is nothing to choose the best of several by."""
    from moviegen.torchscript import check_torchscript

    if config.rerank == "segments" and (config.mode != "autoregressive" or config.num_candidates < 2):
        raise UsageError("--rerank segments wants --mode autoregressive and --num_candidates of 2 or more")
    if config.score == "models" or config.sync_model or config.quality_model:
        check_models(config)
    elif config.num_candidates > 1 and config.score != "sync":
        interface = "waveform (1, N) -> a number, higher is better"
        check_torchscript("moviegen soundtrack", "--score", Path(config.score), interface)
    elif config.num_candidates > 1 and config.video is None:
        raise UsageError(
            "--score sync compares sound and picture: give a VIDEO, or --score FILE.pt, a TorchScript file"
        )


def models_of(config: "SoundtrackConfig") -> dict[str, Path]:
    """The networks by which `--score models` ranks."""
    found = {"sync_model": config.sync_model, "quality_model": config.quality_model}
    return {name: path for name, path in found.items() if path is not None}


def check_models(config: "SoundtrackConfig") -> None:
    """Raises UsageError when `--score models` and its networks do not go together."""
    from moviegen.pipelines.sound_rank import WANTED
    from moviegen.torchscript import check_torchscript

    if config.score != "models" or not models_of(config) or config.num_candidates < 2:
        raise UsageError(
            "--score models, --sync_model or --quality_model (or both), and --num_candidates N go together"
        )
    if config.sync_model is not None and config.video is None:
        raise UsageError("--sync_model compares sound and picture: give a VIDEO")
    for name, path in models_of(config).items():
        check_torchscript("moviegen soundtrack", f"--{name}", path, WANTED[name])
