"""Many ranks as one: the mesh, how networks are divided over it, Lightning's strategy, checkpoints that fit any mesh."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.parallel.strategy import MeshStrategy

__all__ = ["MeshStrategy"]


def __getattr__(name: str) -> Any:
    """`MeshStrategy`, which imports Lightning: `train plan` needs the mesh alone."""
    if name != "MeshStrategy":
        raise AttributeError(name)
    from training.parallel.strategy import MeshStrategy

    return MeshStrategy
