"""Personalisation data [S §4.2.1]: clips of one person, and pictures of that person from the clip or from another. Pure.

The paper: the caption mentions a human; of one frame a second each shows exactly one face; ArcFace cosines of neighbours are above
0.5; five frames spread evenly give the references, cropped and segmented. Cross-paired references come from other camera views of the
same scene (real) or from a generator (synthetic, not made here).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from curation.detectors.base import FrameRequest
from moviegen.contracts.bucket import sample_frame_indices
from moviegen.contracts.sets import MAX_REFERENCES
from moviegen.contracts.shard import check_name
from moviegen.cutout import Segmentation
from moviegen.errors import UsageError

if TYPE_CHECKING:
    from curation.detectors.faces import FacesDetector

_PEOPLE = re.compile(
    r"\b(?:wo)?m[ae]n\b|\bpersons?\b|\bpeople\b|\bhumans?\b|\bgirls?\b|\bboys?\b|\blad(?:y|ies)\b|\bgentlem[ae]n\b|\bguys?\b"
    r"|\bchild(?:ren)?\b|\bkids?\b|\bbab(?:y|ies)\b|\btoddlers?\b|\bteen(?:ager)?s?\b|\badults?\b|\bcouples?\b|\bcrowds?\b"
    r"|\b(?:grand)?(?:mo|fa)thers?\b|\b(?:daughter|son|sister|brother|bride|groom|actor|actress|singer|dancer|player|athlete)s?\b"
    r"|\b(?:she|he|her|his|him)\b|\b(?:fe)?males?\b|\b(?:speaker|performer|musician|worker|doctor|chef|student|teacher)s?\b",
    re.IGNORECASE,
)
"""Words for people, in English: our decision; the paper does not list its own."""


@dataclass(frozen=True)
class PersonalConfig:
    """What goes into the personalisation set."""

    faces: dict = field(default_factory=dict)
    """Parameters of the detector `faces`: `backend`, `weights`, `identity_weights` and so on."""
    identity: Literal["model", "track"] = "model"
    """`model`: faces.identity_weights say whether it stays one person [S]. `track`: one face that moves on from frame to frame is taken
    for one person; needs no weights, is weaker, and gives no cross-paired samples."""
    needs_human_caption: bool = True
    """Only clips whose caption mentions a human [S]."""
    min_identity_step: float = 0.5
    """Least cosine between neighbouring frames, a second apart [S]."""
    min_cross_cosine: float = 0.7
    """Least cosine between the persons of two clips; the paper gives it for its synthetic references [S]."""
    is_cross_within_video: bool = True
    """Cross-paired references from other shots of the same video alone: other views of one scene [S]. False: from any video of the
    batch too."""
    num_references: int = 5
    """Pictures of the person, from frames spread evenly [S]."""
    reference_px: int = 336
    """Side of a reference; our decision, what a MetaCLIP ViT-L/14@336 sees."""
    segmentation: Segmentation = "grabcut"
    """`grabcut` without weights; `model`: `segmenter`; `none`: the background stays."""
    segmenter: Path | None = None
    """TorchScript: a picture (1, 3, H, W) in 0..1 -> the person's probability (1, 1, H, W)."""
    subset: str = "personal"
    """Name of the set."""

    def __post_init__(self) -> None:
        check_name("personal.subset", self.subset)
        if not 1 <= self.num_references <= MAX_REFERENCES:
            raise ValueError(f"personal.num_references is {self.num_references}, wanted 1..{MAX_REFERENCES}")
        if self.reference_px < 16:
            raise ValueError(f"personal.reference_px is {self.reference_px}, wanted at least 16")


def check_identity(config: PersonalConfig) -> None:
    """Raises UsageError saying what is needed when identity is to be told by a model and there is none."""
    if config.identity == "model" and not config.faces.get("identity_weights"):
        raise UsageError(
            "personal: identity model wants personal.faces.identity_weights, a face embedding network (an ArcFace .onnx, or facenet-"
            "pytorch's InceptionResnetV1 .pt). Without one, personal.identity: track takes a face that moves on from frame to frame for "
            "one person, and makes no cross-paired samples"
        )


def mentions_human(caption: str) -> bool:
    """Does a caption speak of a human, by its words."""
    return _PEOPLE.search(caption) is not None


def face_frames(duration: float, config: PersonalConfig) -> FrameRequest:
    """The frames to look at: one a second at least, and as many as there are references."""
    return FrameRequest("spread", max(round(duration), config.num_references))


def find_people(detector: "FacesDetector", frames: Sequence[np.ndarray], pts: Sequence[int]) -> dict:
    """Row of `people` but for its clip_id. Frames are (H, W, 3) uint8 RGB of full size, boxes in their pixels."""
    from curation.detectors.face_identity import least_step
    from curation.detectors.face_tracks import link_faces
    from curation.scoring import shrink

    small = [shrink(frame, detector.max_side_px) for frame in frames]
    found = [detector.find(image) * (f.shape[1] / image.shape[1]) for image, f in zip(small, frames, strict=True)]
    row = {
        "pts": [int(stamp) for stamp in pts],
        "num_faces": [len(boxes) for boxes in found],
        "num_tracks": len(link_faces(found)),
        "boxes": [],
        "identity_step": None,
        "embedding": [],
    }
    if {len(boxes) for boxes in found} != {1}:
        return row
    boxes = [boxes[0] for boxes in found]
    row["boxes"] = [float(value) for box in boxes for value in box]
    if detector.identity_weights is None or len(boxes) < 2:
        return row
    vectors = detector.embed(frames, boxes)
    mean = vectors.mean(axis=0)
    row["embedding"] = (mean / max(np.linalg.norm(mean), np.finfo(float).tiny)).tolist()
    return row | {"identity_step": least_step(vectors)}


def reject_person(row: Mapping, config: PersonalConfig) -> str:
    """Why a clip's people keep it out of the set: `no_face`, `frames_without_face`, `several_faces`, `tracks`, `identity`; empty: in."""
    faces = row["num_faces"]
    if not any(faces):
        return "no_face"
    if max(faces) > 1:
        return "several_faces"
    if min(faces) < 1:
        return "frames_without_face"
    if row["num_tracks"] != 1 and config.identity == "track":
        return "tracks"
    if config.identity == "model" and (
        row["identity_step"] is None or row["identity_step"] <= config.min_identity_step
    ):
        return "identity"
    return ""


def reference_places(row: Mapping, config: PersonalConfig) -> list[tuple[int, tuple[float, ...]]]:
    """(timestamp, box) of the frames spread evenly over those looked at that give the references."""
    boxes = np.asarray(row["boxes"], np.float64).reshape(-1, 4)
    chosen = sample_frame_indices(len(boxes), min(config.num_references, len(boxes)))
    return [(int(row["pts"][i]), tuple(float(value) for value in boxes[i])) for i in chosen]


def cross_partners(
    people: Mapping[str, Mapping], views: Mapping[str, tuple[str, int]], config: PersonalConfig
) -> dict[str, tuple[str, float]]:
    """Clip -> (the clip of another view that shows the same person most surely, cosine); clips without one are not in it.

    `people` are rows of the clips that are in, `views` the video and shot of each: what lies in one shot is one view, and a reference
    from there is no other picture of the person [S §4.2.1: other camera views]. Of equal cosines the lower id is taken. Without
    embeddings there are none.
    """
    groups: dict[str, list[str]] = {}
    for clip_id in sorted(people):
        if len(people[clip_id]["embedding"]):
            groups.setdefault(views[clip_id][0] if config.is_cross_within_video else "", []).append(clip_id)
    partners: dict[str, tuple[str, float]] = {}
    for clip_ids in groups.values():
        vectors = np.array([people[clip_id]["embedding"] for clip_id in clip_ids], np.float64)
        for clip_id, vector in zip(clip_ids, vectors, strict=True):
            is_same_view = np.array([views[other] == views[clip_id] for other in clip_ids])
            cosines = np.where(is_same_view, -np.inf, vectors @ vector)
            best = int(cosines.argmax())
            if cosines[best] >= config.min_cross_cosine:
                partners[clip_id] = (clip_ids[best], float(cosines[best]))
    return partners
