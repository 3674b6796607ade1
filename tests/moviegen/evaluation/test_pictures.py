"""PSNR, SSIM and MS-SSIM beside torchmetrics, scikit-image and ffmpeg."""

from fractions import Fraction

import numpy as np
import pytest

from moviegen.evaluation.pictures import MS_SSIM_MIN_SIDE, flicker_error, ms_ssim, psnr, ssim, ssim_map


def clips(seed: int, size: int = 64, frames: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """A smooth random clip and a worse copy of it, (T, H, W, 3) uint8."""
    generator = np.random.default_rng(seed)
    coarse = generator.uniform(0, 255, (frames, size // 8, size // 8, 3))
    clip = np.kron(coarse, np.ones((1, 8, 8, 1))) + generator.normal(0, 4, (frames, size, size, 3))
    worse = clip + generator.normal(0, generator.uniform(1, 40), clip.shape)
    return tuple(np.clip(np.rint(c), 0, 255).astype(np.uint8) for c in (worse, clip))


def tensors(*arrays: np.ndarray) -> list:
    torch = pytest.importorskip("torch")
    return [torch.from_numpy(a).permute(0, 3, 1, 2).double() for a in arrays]


@pytest.mark.slow  # the import alone
def test_torchmetrics_agrees():
    functional = pytest.importorskip("torchmetrics.functional.image")
    a, b = clips(3)
    x, y = tensors(a, b)
    each = {"data_range": 255.0, "reduction": "none"}
    theirs = functional.peak_signal_noise_ratio(x, y, **each, dim=(1, 2, 3))
    assert np.abs(psnr(a, b) - theirs.numpy()).max() < 1e-3
    theirs = functional.structural_similarity_index_measure(x, y, **each, kernel_size=11, sigma=1.5)
    assert np.abs(ssim(a, b) - theirs.numpy()).max() < 1e-4


@pytest.mark.slow  # the import alone
def test_torchmetrics_agrees_on_five_scales():
    functional = pytest.importorskip("torchmetrics.functional.image")
    a, b = clips(7, 176, 1)
    theirs = functional.multiscale_structural_similarity_index_measure(
        *tensors(a, b), data_range=255.0, reduction="none", kernel_size=11, sigma=1.5, normalize="relu"
    )
    assert np.abs(ms_ssim(a, b) - theirs.numpy()).max() < 1e-4


def test_scikit_image_agrees():
    metrics = pytest.importorskip("skimage.metrics")
    a, b = clips(5)
    same = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255.0}
    theirs = [metrics.structural_similarity(x, y, channel_axis=-1, **same) for x, y in zip(a, b, strict=True)]
    inner = [ssim_map(x, y)[5:-5, 5:-5].mean() for x, y in zip(a, b, strict=True)]
    assert np.abs(np.array(inner) - theirs).max() < 1e-6


def test_ffmpeg_agrees_on_psnr():
    import av.filter

    a, b = clips(6)
    graph = av.filter.Graph()
    sources = [graph.add_buffer(width=64, height=64, format="gbrp", time_base=Fraction(1, 24)) for _ in "ab"]
    meter, sink = graph.add("psnr"), graph.add("buffersink")
    for place, source in enumerate(sources):
        source.link_to(meter, 0, place)
    meter.link_to(sink)
    graph.configure()
    theirs = []
    for number, pair in enumerate(zip(a, b, strict=True)):
        for source, image in zip(sources, pair, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="gbrp")
            frame.pts, frame.time_base = number, Fraction(1, 24)
            source.push(frame)
        theirs.append(float(sink.pull().metadata["lavfi.psnr.psnr_avg"]))
    assert np.abs(psnr(a, b) - theirs).max() < 0.01  # ffmpeg writes two decimals


def test_equal_pictures_are_perfect():
    a, _ = clips(0, 176, 1)
    assert (psnr(a, a) == 100).all()
    assert ssim(a, a) == pytest.approx(1)
    assert ms_ssim(a, a) == pytest.approx(1)


def test_a_window_must_fit():
    a, b = clips(0)
    with pytest.raises(ValueError, match=f"at least {MS_SSIM_MIN_SIDE}"):
        ms_ssim(a, b)
    with pytest.raises(ValueError, match="at least 11 px"):
        ssim(a[:, :8], b[:, :8])


def test_flicker_sees_what_psnr_cannot():
    still = np.full((6, 16, 16, 3), 100, np.uint8)
    brighter, flickering = still + 4, still.copy()
    flickering[::2] += 4
    flickering[1::2] -= 4
    assert psnr(brighter, still).mean() == pytest.approx(psnr(flickering, still).mean())
    assert flicker_error(brighter, still) == 0
    assert flicker_error(flickering, still) == 8
    assert flicker_error(still[:1], still[:1]) is None
