"""Text burnt into the picture: RapidOCR (PP-OCR; its weights come in the wheel) with the paper's score [S App B.1]."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from curation.detectors.base import ClipInput, FrameRequest, check_package
from curation.detectors.overlay import Corners, split_overlay

_MIN_LINE_ASPECT = 3.0
"""Width over height from which a found shape is a line even if no letter of it is read: our decision, texture is squarer."""


@dataclass(frozen=True)
class TextBox:
    """A word or line as found and read."""

    text: str
    detection: float
    """How sure the detector is that this is text, 0..1."""
    recognition: float
    """How sure the reader is of the letters, 0..1."""
    corners: Corners
    """Its quadrangle in the picture looked at, px."""

    @property
    def area(self) -> float:
        """Pixels of its quadrangle."""
        import cv2

        return cv2.contourArea(np.float32(self.corners))

    @property
    def score(self) -> float:
        """Detection times recognition, the number the paper bounds."""
        return self.detection * self.recognition

    @property
    def is_foreign(self) -> bool:
        """Is it a line in a script that the reader was not taught? It reads Cyrillic, say, as blanks, and is sure of them."""
        (x0, y0), (x1, y1), _, (x3, y3) = self.corners
        width, height = np.hypot(x1 - x0, y1 - y0), np.hypot(x3 - x0, y3 - y0)
        return not self.text.strip(" .") and width >= _MIN_LINE_ASPECT * height


@dataclass(frozen=True)
class OcrDetector:
    """Finds and reads text in a few frames, and tells text laid over the picture from text in the scene."""

    count: int = 4
    """Frames looked at, denser where the picture changes. The paper samples adaptively and does not say how; this is our decision."""
    max_side_px: int = 640
    """Frames are looked at with their longer side at most this."""
    min_chars: int = 2
    """Letters and digits a text must have: single signs are mostly texture taken for text."""
    min_area_score: float = 0.6
    """Texts of this score or more count in the area: the paper's bound on the score [S App B.1]."""
    num_threads: int = 1
    """Threads of the inference engine."""

    name: ClassVar[str] = "ocr"
    version: ClassVar[int] = 2
    metrics: ClassVar[dict[str, str]] = {
        "ocr.max_score": "0..1",
        "ocr.area_fraction": "0..1",
        "ocr.overlay_score": "0..1",
        "ocr.scene_score": "0..1",
    }
    cost: ClassVar[float] = 1600.0
    packages: ClassVar[tuple[str, ...]] = ("rapidocr",)

    def __post_init__(self) -> None:
        check_package(self.name, "rapidocr", "pip install 'moviegen[curation]'")

    @property
    def frames(self) -> FrameRequest:
        """A few frames, denser where the picture changes."""
        return FrameRequest("adaptive", self.count, self.max_side_px)

    def score(self, clip: ClipInput) -> dict[str, float]:
        """Highest detection x recognition score of any text in any frame, of overlaid and of scene text; largest share that is text.

        A kept clip has no frame with a score of 0.6 or more [S App B.1]. All are 0 where no text is found. `curation.detectors.overlay`
        says which text is overlaid.
        """
        found = [self.read(frame) for frame in clip.frames]
        overlaid = split_overlay([[box.corners for box in boxes] for boxes in found], clip.frames)
        scores = [
            (box.score, on_top)
            for boxes, on_tops in zip(found, overlaid, strict=True)
            for box, on_top in zip(boxes, on_tops, strict=True)
        ]
        shares = [self.area_fraction(boxes, frame) for boxes, frame in zip(found, clip.frames, strict=True)]
        return {
            "ocr.max_score": max((score for score, _ in scores), default=0.0),
            "ocr.area_fraction": max(shares, default=0.0),
            "ocr.overlay_score": max((score for score, on_top in scores if on_top), default=0.0),
            "ocr.scene_score": max((score for score, on_top in scores if not on_top), default=0.0),
        }

    def area_fraction(self, boxes: list[TextBox], image: np.ndarray) -> float:
        """Share of the image inside texts of `min_area_score` or more; where they overlap it counts once."""
        import cv2

        covered = np.zeros(image.shape[:2], np.uint8)
        for box in boxes:
            if box.score >= self.min_area_score:
                cv2.fillPoly(covered, [np.int32(np.round(box.corners))], 1)
        return float(covered.mean())

    def read(self, image: np.ndarray) -> list[TextBox]:
        """The texts of an image, (H, W, 3) uint8 RGB."""
        import cv2
        from rapidocr.ch_ppocr_rec import TextRecInput
        from rapidocr.utils.process_img import get_rotate_crop_image

        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        find, recognise = self._engine
        found = find(bgr)
        if found.boxes is None:
            return []
        crops = [get_rotate_crop_image(bgr, box.astype(np.float32)) for box in found.boxes]
        said = recognise(TextRecInput(img=crops, return_word_box=False))
        boxes = [
            TextBox(text, float(detection), float(recognition), tuple((float(x), float(y)) for x, y in box))
            for text, recognition, detection, box in zip(said.txts, said.scores, found.scores, found.boxes, strict=True)
        ]
        return [box for box in boxes if sum(c.isalnum() for c in box.text) >= self.min_chars or box.is_foreign]

    @cached_property
    def _engine(self) -> tuple:
        """(text detector, recogniser), loaded once."""
        from rapidocr import RapidOCR

        engine = RapidOCR(
            params={
                "Global.log_level": "error",
                "Det.limit_type": "max",
                "Det.limit_side_len": self.max_side_px,
                "EngineConfig.onnxruntime.intra_op_num_threads": self.num_threads,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )
        find, recognise = engine._load_det_model(), engine._load_rec_model()
        # RapidOCR sorts the boxes into reading order but leaves their scores unsorted; we need each box with its own score.
        find.sorted_boxes = lambda boxes: boxes
        return find, recognise
