"""What a loader hands to a module: one batch of one bucket."""

from dataclasses import dataclass

from torch import Tensor

from moviegen.draws import ALL_ROWS, Rows


@dataclass
class Batch:
    """Clips (or images) of one bucket. Not frozen: Lightning moves it to the device by assigning its fields.

    B samples, T frames, H W px (or latent cells), C channels.
    """

    index: int
    """Number of the batch since the beginning of the stage: noise and t are drawn from (seed, index), by rows."""
    bucket: str
    """Bucket key; `...-f1` when the batch holds images."""
    keys: list[str]
    """The clip of each sample."""
    captions: list[str]
    """Text of each sample, as written in the shard."""
    fps: list[float]
    """Frames per second of the frames taken (frames / seconds of the clip); 0 for an image."""
    pixels: Tensor | None = None
    """(B, 3, T, H, W) in [-1, 1]; None when latents are given."""
    latent_mean: Tensor | None = None
    """(B, C, T, H, W) mean of the TAE's posterior, before normalisation."""
    latent_std: Tensor | None = None
    """(B, C, T, H, W) standard deviation of the TAE's posterior."""
    text_features: list[Tensor] | None = None
    """Of each text encoder (B, L, D), padded to the longest; None when texts are encoded in the step."""
    text_masks: list[Tensor] | None = None
    """Of each text encoder (B, L), True on real tokens."""
    no_text: list[Tensor] | None = None
    """Of each text encoder (L, D) of the empty text, which dropped texts become (`encoders.drop_texts`)."""
    weight: float = 1.0
    """What this rank's mean loss is multiplied by, so that the mean over ranks is the mean over the global batch: not 1 only
    where the batch does not divide by the ranks."""
    rows: Rows = ALL_ROWS
    """Which samples of the global batch these are."""
    epoch: float = 0.0
    """How often the samples of its bucket have been visited when it is done."""
    digest: str = ""
    """Hash of the global batch: the same on every rank, and on every number of them."""
    cost: float = 0.0
    """FLOPs of the global batch; its tokens where no network is given."""
    efficiency: float = 1.0
    """Mean over maximum cost of the ranks."""
    wait_s: float = 0.0
    """Seconds that training waited for it."""

    @property
    def is_image(self) -> bool:
        """One frame a sample."""
        return self.bucket.endswith("-f1")

    def __len__(self) -> int:
        return len(self.keys)
