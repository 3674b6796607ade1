"""A checkpoint's dict in two parts: its tensors by path, and the rest with their paths in their places."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

MARK = "tensor at"
"""Only key of what stands for a tensor."""

Path = tuple[Any, ...]
"""Keys and numbers from the root to a leaf."""


def path_name(path: Path) -> str:
    """One name for a path: `optimizer_states/0/state/3/exp_avg`."""
    return "/".join(map(str, path))


def split_tensors(tree: Any) -> tuple[Any, dict[str, Tensor]]:
    """(the tree with a mark for each tensor, its tensors by `path_name`). Raises ValueError when two paths have one name."""
    tensors: dict[str, Tensor] = {}

    def take(path: Path, leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        name = path_name(path)
        if name in tensors:
            raise ValueError(f"two tensors of a checkpoint are called {name}")
        tensors[name] = leaf
        return {MARK: name}

    return _walk(tree, (), take), tensors


def marks(tree: Any) -> dict[str, Path]:
    """Name -> path of each tensor of a tree whose tensors were taken out."""
    found: dict[str, Path] = {}

    def note(path: Path, leaf: Any) -> Any:
        if _is_mark(leaf):
            found[leaf[MARK]] = path
        return leaf

    _walk(tree, (), note)
    return found


def join_tensors(tree: Any, tensors: Mapping[str, Any]) -> Any:
    """The inverse of `split_tensors`."""
    return _walk(tree, (), lambda _, leaf: tensors[leaf[MARK]] if _is_mark(leaf) else leaf)


def _is_mark(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) == {MARK}


def _walk(tree: Any, path: Path, change: Callable[[Path, Any], Any]) -> Any:
    if isinstance(tree, Mapping) and not _is_mark(tree):
        return {key: _walk(value, (*path, key), change) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)([_walk(value, (*path, number), change) for number, value in enumerate(tree)])
    return change(path, tree)
