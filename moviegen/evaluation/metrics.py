"""Every metric as data: what it measures, what it needs, which way is better, where it comes from. `moviegen eval list` prints this."""

from dataclasses import dataclass
from typing import Literal

Better = Literal["higher", "lower", "none"]


@dataclass(frozen=True)
class Metric:
    """One number, of an item or of a set."""

    name: str
    """With `*` in it: one a network, named after its file or folder."""
    suites: tuple[str, ...]
    group: str
    """What measures it; metrics of one group are measured together."""
    meaning: str
    unit: str = ""
    better: Better = "higher"
    kind: Literal["mean", "set"] = "mean"
    """Of each item, then averaged; or one number of two sets of items."""
    reference: str = ""
    """What it is compared with; empty: nothing."""
    weights: str = ""
    """The setting that names its network; empty: it needs none, and so no network and no download."""
    licence: str = ""
    """Of the network that the literature uses, which is not ours to give; empty: none needed."""
    source: str = "ours"
    """Paper section or definition that it follows."""
    clips: int = 0
    """Items from which its interval is narrow enough to tell models apart: rough, our decision; docs/evaluation.md says why."""

    @property
    def is_offline(self) -> bool:
        """Does it run without any file but the videos?"""
        return not self.weights


def _picture(name: str, meaning: str, **more: object) -> Metric:
    return Metric(name, ("tae",), "pair", meaning, reference="the same clip before", **more)  # type: ignore[arg-type]


_MASK, _PERSON = "source clip and mask", "pictures of the person"
_FACE = "most face models are for research only"
_SET = {"kind": "set", "reference": "real clips, unpaired", "better": "lower"}

METRICS: tuple[Metric, ...] = (
    _picture("psnr", "peak signal-to-noise ratio, mean over frames", unit="dB", source="[S §3.6.3]", clips=200),
    _picture("ssim", "structural similarity, mean over frames", source="[S §3.6.3]; Wang 2004", clips=200),
    _picture("ms_ssim", "structural similarity over five scales; sides of 176 px or more", source="Wang 2003", clips=200),
    _picture(
        "flicker_error",
        "how differently two clips change from frame to frame",
        unit="8-bit levels",
        better="lower",
        clips=200,
    ),
    Metric(
        "vmaf",
        ("tae",),
        "vmaf",
        "Netflix's perceptual score, by ffmpeg's libvmaf",
        unit="0..100",
        reference="the same clip before",
        source="libvmaf, vmaf_v0.6.1",
        clips=100,
    ),
    Metric(
        "lpips",
        ("tae",),
        "lpips",
        "distance in the features of a VGG16, mean over frames",
        better="lower",
        reference="the same clip before",
        weights="lpips",
        licence="LPIPS: BSD-2-Clause; VGG16: BSD-3-Clause of torchvision",
        source="Zhang 2018",
        clips=200,
    ),
    Metric(
        "latent_outliers",
        ("tae",),
        "latents",
        "share of latent positions beyond 3 standard deviations of their frame",
        better="lower",
        weights="tae",
        licence="your own",
        source="[S §3.1.1, Eq 1]",
        clips=50,
    ),
    Metric(
        "latent_farthest",
        ("tae",),
        "latents",
        "the farthest latent position, in standard deviations of its frame",
        better="lower",
        weights="tae",
        licence="your own",
        source="[S §3.1.1]",
        clips=50,
    ),
    Metric("flicker", ("tae", "t2v"), "single", "mean change of a pixel from frame to frame", "8-bit levels", "none", clips=100),
    Metric("motion", ("t2v",), "single", "VMAF's motion, by ffmpeg", "8-bit levels", "none", source="[S App B.1]", clips=100),
    Metric("flow", ("t2v",), "flow", "mean speed of the picture, by optical flow", "diagonals/s", "none", source="ours; DIS, Kroeger 2016",
           clips=100),
    Metric("flow_fastest", ("t2v",), "flow", "speed of its fastest twentieth", "diagonals/s", "none",
           source="after VBench's dynamic degree; DIS for RAFT", clips=100),
    Metric("frozen", ("t2v",), "single", "share of frames that repeat the one before", "0..1", "lower", clips=100),
    Metric("fid.*", ("tae", "t2v"), "image", "Frechet distance of frames", **_SET, weights="image_extractor",
           licence="InceptionV3: Apache-2.0", source="[S §3.6.3]; Heusel 2017", clips=5000),
    Metric("kid.*", ("tae", "t2v"), "image", "MMD of frames, unbiased", **_SET, weights="image_extractor",
           licence="InceptionV3: Apache-2.0", source="Binkowski 2018", clips=500),
    Metric("fvd.*", ("tae", "t2v"), "video", "Frechet distance of clips", **_SET, weights="video_extractor",
           licence="I3D: Apache-2.0", source="Unterthiner 2018", clips=2048),
    Metric("kvd.*", ("tae", "t2v"), "video", "MMD of clips, unbiased", **_SET, weights="video_extractor",
           licence="I3D: Apache-2.0", source="Unterthiner 2018", clips=256),
    Metric("fad.*", ("audio",), "sound", "Frechet distance of sounds", **_SET, weights="audio_extractor",
           licence="VGGish: Apache-2.0; PaSST: Apache-2.0", source="Kilgour 2019", clips=2048),
    Metric("kad.*", ("audio",), "sound", "MMD of sounds, unbiased, Gaussian kernel", **_SET, weights="audio_extractor",
           licence="PANNs: MIT", source="Chung 2025", clips=256),
    Metric("clip.alignment", ("t2v", "edit"), "clip", "cosine of frames and prompt", reference="prompt", weights="clip",
           licence="CLIP: MIT; MetaCLIP: CC-BY-NC", source="Hessel 2021", clips=300),
    Metric("clip.consistency", ("t2v", "edit"), "clip", "cosine of a frame and the next", weights="clip", licence="as above",
           source="CLIPFrame, TGVE", clips=100),
    Metric("clip.direction", ("edit",), "clip", "cosine of the change seen and the change of captions", weights="clip",
           reference="source clip and both captions", licence="as above", source="[S §5.2.2]; Gal 2022", clips=300),
    Metric("viclip.alignment", ("t2v", "edit"), "viclip", "cosine of clip and prompt (ViCLIP_out of an edit)",
           reference="prompt", weights="viclip", licence="ViCLIP: Apache-2.0, gated", source="[S §5.2.2]", clips=300),
    Metric("viclip.direction", ("edit",), "viclip", "cosine of the clip's change and the captions' (ViCLIP_dir)",
           reference="source clip and both captions", weights="viclip", licence="as above", source="[S §5.2.2]", clips=300),
    Metric("val_loss", ("t2v",), "loss", "flow-matching loss at ten fixed t, fixed noise", "", "lower", reference="captions",
           weights="checkpoint", licence="your own", source="[S §3.5, Fig 15]", clips=200),
    Metric("clap.alignment", ("audio",), "clap", "cosine of sound and prompt", reference="prompt", weights="clap",
           licence="CLAP: Apache-2.0", source="[S §6.3.1]; Wu 2023", clips=300),
    Metric("audio.loudness", ("audio",), "sound_single", "integrated loudness, gated", "LUFS", "none", source="ITU-R BS.1770", clips=50),
    Metric("audio.peak", ("audio",), "sound_single", "largest sample", "dBFS", "none", clips=50),
    Metric("audio.clipped", ("audio",), "sound_single", "share of samples at full scale", "0..1", "lower", clips=50),
    Metric("audio.silence", ("audio",), "sound_single", "share of 50 ms windows below -60 dBFS", "0..1", "lower", clips=50),
    Metric("audio.onset_f1", ("audio",), "sync", "agreement of sounds that begin with pictures that jump, within 100 ms", "0..1",
           clips=200),
    Metric("audio.offset", ("audio",), "sync", "how much later than the picture the sound comes, absolute", "s", "lower", clips=200),
    Metric("audio.si_sdr", ("audio",), "sound_pair", "scale-invariant signal-to-distortion ratio", "dB",
           reference="the same sound before", source="Le Roux 2019", clips=200),
    Metric("audio.log_spectral", ("audio",), "sound_pair", "log-spectral distance", "dB", "lower",
           reference="the same sound before", source="Gray 1976", clips=200),
    Metric("edit.psnr_outside", ("edit",), "mask", "PSNR outside the mask: what should stay", "dB", reference=_MASK, clips=100),
    Metric("edit.ssim_outside", ("edit",), "mask", "SSIM outside the mask", reference=_MASK, clips=100),
    Metric("edit.change_inside", ("edit",), "mask", "1 - SSIM inside the mask: was anything edited", reference=_MASK, clips=100),
    Metric("edit.locality", ("edit",), "mask", "share of the squared change that lies inside the mask", "0..1",
           reference=_MASK, clips=100),
    Metric("identity.mean", ("identity",), "identity", "cosine of frames and the person's pictures, mean", reference=_PERSON,
           weights="identity", licence=_FACE, source="[S §4.4]", clips=300),
    Metric("identity.best", ("identity",), "identity", "the same, best frame", reference=_PERSON, weights="identity",
           licence=_FACE, source="[S §4.4]", clips=300),
    Metric("identity.worst", ("identity",), "identity", "the same, worst frame", reference=_PERSON, weights="identity",
           licence=_FACE, source="[S §4.4]", clips=300),
    Metric("identity.faces", ("identity",), "identity", "share of frames with a face, where one is looked for", "0..1",
           weights="identity", licence=_FACE, clips=100),
    Metric("identity.consistency", ("identity",), "identity", "cosine of a frame and the next", weights="identity", licence=_FACE,
           source="[S §4.4]", clips=300),
    Metric("identity.stranger", ("identity",), "identity", "cosine to somebody else's pictures: what chance gives", better="none",
           reference="pictures of others", weights="identity", licence=_FACE, clips=300),
)  # fmt: skip

SUITES = tuple(dict.fromkeys(suite for metric in METRICS for suite in metric.suites))


def metric_of(name: str) -> Metric:
    """The metric of a name, `fvd.i3d` for `fvd.*`. Raises KeyError."""
    for metric in METRICS:
        if metric.name == name or (metric.name.endswith("*") and name.startswith(metric.name[:-1])):
            return metric
    raise KeyError(name)


def of_suites(suites: tuple[str, ...]) -> tuple[Metric, ...]:
    """The metrics of any of the suites, each once."""
    return tuple(metric for metric in METRICS if set(metric.suites) & set(suites))
