"""An edited clip beside its source, inside and outside the mask of what was to be edited.

Outside alone says nothing: who changes nothing keeps everything. So what changed inside stands beside it.
`T` frames, `H W` rows and columns; clips are (T, H, W, 3) uint8, masks (T or 1, H, W) bool, true where the edit belongs.
"""

import numpy as np

from moviegen.evaluation.pictures import decibels, ssim_map

Found = tuple[dict[str, float], dict[str, str]]


def mask_of(pictures: np.ndarray) -> np.ndarray:
    """(T, H, W) bool of (T, H, W, 3) pictures of a mask: what is lighter than half is inside."""
    return pictures.mean(-1) > 127.5


def compare_edit(edited: np.ndarray, source: np.ndarray, mask: np.ndarray) -> Found:
    """What changed where. Raises ValueError where the mask has another size or number of frames."""
    if mask.shape[1:] != edited.shape[1:3] or len(mask) not in (1, len(edited)):
        raise ValueError(
            f"the mask is {_size(mask)}, the clip {_size(edited)}; wanted the clip's size, and a frame each or one"
        )
    inside = np.broadcast_to(mask, edited.shape[:3])
    squared = np.square(edited.astype(np.float64) - source).mean(-1)
    similar = np.stack([ssim_map(a, b).mean(-1) for a, b in zip(edited, source, strict=True)])
    values: dict[str, float] = {}
    skipped: dict[str, str] = {}
    if (~inside).any():
        values["edit.psnr_outside"] = float(decibels(squared[~inside].mean()))
        values["edit.ssim_outside"] = float(similar[~inside].mean())
    else:
        skipped |= dict.fromkeys(("edit.psnr_outside", "edit.ssim_outside"), "the mask covers everything")
    if inside.any():
        values["edit.change_inside"] = 1 - float(similar[inside].mean())
    else:
        skipped["edit.change_inside"] = "the mask is empty"
    total = float(squared.sum())
    if total:
        values["edit.locality"] = float(squared[inside].sum()) / total
    else:
        skipped["edit.locality"] = "nothing was changed at all"
    return values, skipped


def _size(clip: np.ndarray) -> str:
    return f"{clip.shape[2]}x{clip.shape[1]} px of {len(clip)} frames"
