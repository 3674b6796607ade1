"""Text burnt into the picture: RapidOCR (PP-OCR; its weights come in the wheel) with the paper's score [S App B.1]."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from curation.detectors.base import ClipInput, FrameRequest, check_package


@dataclass(frozen=True)
class TextBox:
    """A word or line as found and read."""

    text: str
    detection: float
    """How sure the detector is that this is text, 0..1."""
    recognition: float
    """How sure the reader is of the letters, 0..1."""
    area: float
    """Pixels of its quadrangle."""

    @property
    def score(self) -> float:
        """Detection times recognition, the number the paper bounds."""
        return self.detection * self.recognition


@dataclass(frozen=True)
class OcrDetector:
    """Finds and reads text in a few frames."""

    count: int = 4
    """Frames looked at, spread evenly. The paper samples adaptively and does not say how; this is our decision."""
    max_side_px: int = 640
    """Frames are looked at with their longer side at most this."""
    min_chars: int = 2
    """Letters and digits a text must have: single signs are mostly texture taken for text."""
    num_threads: int = 1
    """Threads of the inference engine."""

    name: ClassVar[str] = "ocr"
    version: ClassVar[int] = 1
    metrics: ClassVar[dict[str, str]] = {"ocr.max_score": "0..1", "ocr.area": "0..1"}
    cost: ClassVar[float] = 400.0
    packages: ClassVar[tuple[str, ...]] = ("rapidocr",)

    def __post_init__(self) -> None:
        check_package(self.name, "rapidocr", "pip install 'moviegen[curation]'")

    @property
    def frames(self) -> FrameRequest:
        """A few frames, spread."""
        return FrameRequest("spread", self.count, self.max_side_px)

    def score(self, clip: ClipInput) -> dict[str, float]:
        """Highest detection x recognition score of any text in any frame, and the largest share of a frame that is text.

        A kept clip has no frame with a score of 0.6 or more [S App B.1]. Both are 0 where no text is found. The area counts
        texts of that score or more only.
        """
        boxes = [self.read(frame) for frame in clip.frames]
        shares = [
            sum(box.area for box in found if box.score >= 0.6) / (frame.shape[0] * frame.shape[1])
            for found, frame in zip(boxes, clip.frames, strict=True)
        ]
        return {
            "ocr.max_score": max((box.score for found in boxes for box in found), default=0.0),
            "ocr.area": min(1.0, max(shares, default=0.0)),
        }

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
            TextBox(text, float(detection), float(recognition), cv2.contourArea(box.astype(np.float32)))
            for text, recognition, detection, box in zip(said.txts, said.scores, found.scores, found.boxes, strict=True)
        ]
        return [box for box in boxes if sum(c.isalnum() for c in box.text) >= self.min_chars]

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
