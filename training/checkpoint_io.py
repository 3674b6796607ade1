"""Lightning's plugin for checkpoints as folders; apart from them, since Lightning takes seconds to import, which encoding does without."""

from pathlib import Path
from typing import Any

from lightning.fabric.plugins.io.checkpoint_io import CheckpointIO

from training.checkpoint import load_state, remove_checkpoint, save_checkpoint


class FolderCheckpointIO(CheckpointIO):
    """Checkpoints as `training.checkpoint` has them."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Writes a checkpoint; one of the same name is replaced."""
        save_checkpoint(checkpoint, Path(path))

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """The state of a checkpoint, on the CPU unless told otherwise."""
        return load_state(Path(path), map_location or "cpu")

    def remove_checkpoint(self, path: str | Path) -> None:
        """Deletes a checkpoint."""
        remove_checkpoint(Path(path))
