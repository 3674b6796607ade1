"""Where an edit may change a video: masks read from a picture or a video, and what is outside put back to the last bit.

`T` frames, `H W` rows and columns; frames are (T, H, W, 3) uint8, masks (T or 1, H, W) bool, true where the edit belongs.
"""

from pathlib import Path

import numpy as np

from moviegen.errors import UsageError

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


def read_mask(path: Path, num_frames: int, width: int, height: int) -> np.ndarray:
    """(T or 1, H, W) bool of a picture, for all frames, or of a video with a frame each: white is edited.

    Raises UsageError when it has another size or number of frames, or is all black.
    """
    from moviegen.media.read import read_image, read_video
    from moviegen.media.worker import guarded_call

    is_picture = path.suffix.lower() in PICTURE_SUFFIXES
    pictures = guarded_call(read_image, path)[None] if is_picture else guarded_call(read_video, path)
    if pictures.shape[1:3] != (height, width) or len(pictures) not in (1, num_frames):
        got, wanted = f"{pictures.shape[2]}x{pictures.shape[1]} px of {len(pictures)} frames", f"{width}x{height} px"
        raise UsageError(f"--mask {path}: is {got}; wanted {wanted} and 1 or {num_frames} frames, as the video has")
    mask = pictures.mean(-1) > 127.5
    if not mask.any():
        raise UsageError(f"--mask {path}: is black all over, nothing would be edited; white is what may change")
    return mask


def apply_mask(video: np.ndarray, edited: np.ndarray, mask: np.ndarray, feather_px: int = 0) -> np.ndarray:
    """The video with its masked pixels edited; all others are the video's own. The edit is stretched to the video's size.

    `feather_px` fades the edit in over so many pixels from the mask's border inwards, so that what is outside stays exact.
    """
    if mask.shape[1:] != video.shape[1:3] or len(mask) not in (1, len(video)):
        raise UsageError(f"mask is {mask.shape}, wanted ({len(video)} or 1, {video.shape[1]}, {video.shape[2]})")
    out = video.copy()
    for i, frame in enumerate(edited):
        inside = mask[i if len(mask) > 1 else 0]
        sized = resize_frames(frame[None], video.shape[2], video.shape[1])[0]
        share = weight_inside(inside, feather_px)[inside][:, None]
        mixed = video[i][inside] * (1 - share) + sized[inside] * share
        out[i][inside] = mixed.round().astype(np.uint8)
    return out


def weight_inside(mask: np.ndarray, feather_px: int) -> np.ndarray:
    """(H, W) float of a mask (H, W): 0 outside, rising from its border inwards to 1 over `feather_px` pixels; 1 at once for 0."""
    if not feather_px:
        return mask.astype(np.float64)
    import cv2

    depth = cv2.distanceTransform(np.pad(mask, 1, mode="edge").astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    return np.clip(depth / (feather_px + 1), 0, 1).astype(np.float64) * mask


def resize_frames(frames: np.ndarray, width: int, height: int) -> np.ndarray:
    """(T, H, W, 3) uint8 stretched to another size; the same frames where they have it already."""
    from PIL import Image

    if frames.shape[1:3] == (height, width):
        return np.ascontiguousarray(frames)
    sized = [Image.fromarray(frame).resize((width, height), Image.Resampling.BICUBIC) for frame in frames]
    return np.stack([np.asarray(each) for each in sized])
