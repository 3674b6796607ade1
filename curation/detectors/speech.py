"""Speech: the share of a clip in which someone talks or sings words, by Silero VAD; its weights come in the wheel.

The network is small (1.2 MB) and runs in onnxruntime on the CPU: 20 ms for 10 s. Of the package only the weights are used; importing
it would load torch. `N` samples, `L` windows.
"""

from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import numpy as np

from curation.detectors.base import AudioRequest, ClipInput, FrameRequest, check_package
from moviegen.errors import UsageError

WEIGHTS = "silero_vad_16k_sequence.onnx"
"""File of the wheel."""

SAMPLE_RATE = 16000
"""Hz that the network was trained at."""

WINDOW = 512
"""Samples that one answer is about: 32 ms."""

CONTEXT = 64
"""Samples before a window that the network sees too; silence before the first."""

MAX_WINDOWS = 1024
"""Windows given to the network at once: 33 s; the memory it takes grows with them."""


@dataclass(frozen=True)
class SpeechDetector:
    """How much of a clip is speech. Pauses between words do not count, music and noise do not either."""

    min_probability: float = 0.5
    """A window is speech from this probability on; Silero's own default."""

    name: ClassVar[str] = "speech"
    version: ClassVar[int] = 1
    metrics: ClassVar[dict[str, str]] = {"speech.fraction": "0..1"}
    cost: ClassVar[float] = 70.0
    packages: ClassVar[tuple[str, ...]] = ("silero-vad",)
    frames: ClassVar[FrameRequest] = FrameRequest(audio=AudioRequest(SAMPLE_RATE, is_mono=True))

    def __post_init__(self) -> None:
        check_package(self.name, "silero_vad", "pip install --no-deps silero-vad==6.2.3 (torch is not used)")
        check_package(self.name, "onnxruntime", "pip install 'moviegen[curation]'")
        if not weights_path().is_file():
            raise UsageError(
                f"detector speech: silero-vad {version('silero-vad')} has no {WEIGHTS}: "
                "pip install --no-deps --upgrade 'silero-vad>=6.2.3'"
            )

    def score(self, clip: ClipInput) -> dict[str, float]:
        """Share of the clip's windows that are speech; nothing where the file has no audio stream."""
        if clip.audio is None:
            return {}
        return {"speech.fraction": float(np.mean(self.probabilities(clip.audio.samples[0]) >= self.min_probability))}

    def probabilities(self, samples: np.ndarray) -> np.ndarray:
        """(L,) probability of speech in each window of (N,) samples; the last one is filled up with silence."""
        windows = cut_windows(samples)
        hidden = cell = np.zeros((1, 1, 128), np.float32)
        found = [np.zeros(0, np.float32)]
        for start in range(0, len(windows), MAX_WINDOWS):
            fed = {"input": np.ascontiguousarray(windows[start : start + MAX_WINDOWS]), "h": hidden, "c": cell}
            answers, hidden, cell = self._network.run(["speech_probs", "hn", "cn"], fed)
            found.append(answers)
        return np.concatenate(found)

    @cached_property
    def _network(self):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        return onnxruntime.InferenceSession(str(weights_path()), options, providers=["CPUExecutionProvider"])


def weights_path() -> Path:
    """Where the installed package keeps the network that takes many windows at once."""
    package = find_spec("silero_vad")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "data" / WEIGHTS


def cut_windows(samples: np.ndarray) -> np.ndarray:
    """(L, CONTEXT + WINDOW) of (N,) samples, each window with what comes before it; a view."""
    num_windows = -(-len(samples) // WINDOW)
    padded = np.zeros(CONTEXT + max(1, num_windows) * WINDOW, np.float32)
    padded[CONTEXT : CONTEXT + len(samples)] = samples
    return np.lib.stride_tricks.sliding_window_view(padded, CONTEXT + WINDOW)[::WINDOW]
