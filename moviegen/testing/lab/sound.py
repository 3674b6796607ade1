"""Sound of the laboratory: a ball that bounces, heard at each contact, its colour saying of what it is. And what a sound lets hear."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from moviegen.media.onsets import SAMPLE_RATE as ONSET_RATE
from moviegen.media.onsets import band_levels, find_onsets
from moviegen.testing.scene import Scene, bounce_times, sample_scene

from .takes import SIDE, Take


@dataclass(frozen=True)
class Material:
    """How something sounds when it is hit."""

    colour: str
    """Of what is made of it: how one sees it."""
    partials_hz: tuple[float, ...]
    decay_s: float
    """Time in which the sound falls to a third."""


MATERIALS: dict[str, Material] = {
    "rubber": Material("red", (130.0, 185.0), 0.05),
    "wood": Material("yellow", (430.0, 640.0), 0.04),
    "metal": Material("blue", (1250.0, 1710.0), 0.12),
    "glass": Material("cyan", (3300.0, 4600.0), 0.08),
}

CHANCE_MATERIAL = 1 / len(MATERIALS)

SAMPLE_RATE = 16000
FPS, NUM_FRAMES = 12, 48
"""Of a film with sound: 4 s."""

LEVEL = 0.6
TICK_S, TICK_LEVEL = 0.002, 0.25
"""The noise of the contact itself."""

FLOOR_LEVEL = 1e-3
"""Hiss behind everything: full-scale silence is no sound a codec ever meets."""

TOLERANCE_S = 0.08
"""How far a sound may lie from its contact."""

END_S = 0.1
"""Seconds before the end in which no contact lies and nothing is heard to begin: a coded sound that is cut off rings there."""

HEARD_S = 0.06
"""Of a sound, the part by which its material is told."""


def sample_bounce(seed: int | np.random.Generator, material: str | None = None, **constraints: object) -> Take:
    """A ball that bounces three to five times in 4 s, never in the last tenth; `constraints` are those of `sample_scene`."""
    rng = np.random.default_rng(seed)
    drawn, crossings = str(rng.choice(list(MATERIALS))), float(rng.integers(3, 6) + rng.uniform(0, 0.35))
    fixed: dict[str, object] = {
        "action": "bounces", "colour": MATERIALS[material or drawn].colour, "shape": "circle", "camera": "static",
        "width": SIDE, "height": SIDE, "fps": FPS, "num_frames": NUM_FRAMES, "radius": 0.2, "crossings": crossings,
    }  # fmt: skip
    scene = sample_scene(rng, **fixed | constraints)
    return Take(scene, "bounce")


def material_of(scene: Scene) -> str:
    """What a ball is made of, by its colour. Raises ValueError for a colour of no material."""
    for name, material in MATERIALS.items():
        if material.colour == scene.colour:
            return name
    raise ValueError(f"nothing {scene.colour} makes a sound; there is {', '.join(MATERIALS)}")


def render_bounces(scene: Scene, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """The scene's sound, (1, N) float32 in -1..1: its material at each contact, over a faint hiss."""
    count = round(scene.duration * sample_rate)
    noise = np.random.default_rng([scene.seed, 2]).standard_normal(count)
    sound = FLOOR_LEVEL * noise
    hit = strike(material_of(scene), sample_rate)
    for bounce_s in bounce_times(scene):
        start = round(bounce_s * sample_rate)
        part = hit[: count - start]
        sound[start : start + len(part)] += part
    return sound.clip(-1, 1).astype(np.float32)[None]


def strike(material: str, sample_rate: int = SAMPLE_RATE, seconds: float = 0.8) -> np.ndarray:
    """(N,) one contact: a tick, then the material's partials dying away."""
    about = MATERIALS[material]
    time_s = np.arange(round(seconds * sample_rate)) / sample_rate
    partials = sum(np.sin(2 * np.pi * hz * time_s) for hz in about.partials_hz) / len(about.partials_hz)
    tick = TICK_LEVEL * np.exp(-time_s / TICK_S) * np.random.default_rng(0).standard_normal(len(time_s))
    return LEVEL * np.exp(-time_s / about.decay_s) * partials + tick


@dataclass(frozen=True)
class Heard:
    """What a sound is against the contacts that are seen."""

    num_bounces: int
    num_onsets: int
    num_matched: int
    """Pairs of a contact and a sound within TOLERANCE_S, each used once."""
    material: str | None
    """What it sounds like; None where nothing is heard."""

    @property
    def onsets(self) -> float:
        """Matched pairs of the contacts, or of the sounds where those are more: a sound too many is as wrong as one too few."""
        return self.num_matched / max(self.num_bounces, self.num_onsets, 1)


def hear(samples: np.ndarray, bounces: list[float]) -> Heard:
    """What (N,) samples at 16 kHz let hear of contacts at these seconds."""
    end = len(samples) / ONSET_RATE - END_S
    onsets = [onset for onset in find_onsets(np.asarray(samples, np.float32)).tolist() if onset < end]
    return Heard(len(bounces), len(onsets), _matched(bounces, onsets), read_material(samples, onsets))


def _matched(bounces: list[float], onsets: list[float]) -> int:
    """Pairs that lie near enough, in order of time."""
    left, count = sorted(onsets), 0
    for bounce in sorted(bounces):
        near = [onset for onset in left if abs(onset - bounce) <= TOLERANCE_S]
        if near:
            left.remove(near[0])
            count += 1
    return count


def read_material(samples: np.ndarray, onsets: list[float]) -> str | None:
    """The material whose spectrum is nearest to that after the onsets; None where there is none."""
    length = round(HEARD_S * ONSET_RATE)
    parts = [samples[start : start + length] for start in (round(onset * ONSET_RATE) for onset in onsets)]
    spectra = [_spectrum(part) for part in parts if len(part) == length]
    if not spectra:
        return None
    mean = np.mean(spectra, axis=0)
    truths = {name: _spectrum(strike(name, ONSET_RATE)[:length]) for name in MATERIALS}
    return max(truths, key=lambda name: float(mean @ truths[name]))


def _spectrum(part: np.ndarray) -> np.ndarray:
    """(K,) amplitude in bands of a twelfth of an octave from 80 Hz, of length 1."""
    amplitude = np.abs(np.fft.rfft(part * np.hanning(len(part))))
    hz = np.fft.rfftfreq(len(part), 1 / ONSET_RATE)
    edges = np.geomspace(80, 7600, 28)
    bands = np.array([amplitude[(hz >= low) & (hz < high)].sum() for low, high in pairwise(edges)])
    return bands / max(float(np.linalg.norm(bands)), 1e-9)


def chance_onsets(takes: list[Take]) -> float:
    """Share of onsets that come out right when each film has the sound of the next: what guessing the usual rhythm gets."""
    times = [bounce_times(take.scene) for take in takes]
    pairs = zip(times, [*times[1:], times[0]], strict=True)
    return float(np.mean([_matched(own, other) / max(len(own), len(other), 1) for own, other in pairs]))


@dataclass(frozen=True)
class Seams:
    """Whether the places where windows meet stand out."""

    num_seams: int
    rank: float
    """Mean share of the other places whose change is smaller, 0..1: 0.5 where seams are places like any other."""
    p_value: float
    """Chance of as high a rank where they are."""


def read_seams(samples: np.ndarray, seams_s: list[float], resamples: int = 2000) -> Seams:
    """How much the spectrum of (N,) samples at 16 kHz changes at `seams_s` seconds against everywhere else, by rank."""
    levels = band_levels(np.asarray(samples, np.float32))
    change = np.zeros(len(levels))
    change[2:-2] = np.abs(levels[4:] - levels[:-4]).mean(axis=1)
    places = np.array([round(100 * seam) for seam in seams_s])
    if not len(places) or places.min() < 2 or places.max() >= len(change) - 2:
        raise ValueError(f"seams at {seams_s} s: wanted some, inside of a sound of {len(samples) / ONSET_RATE:.2f} s")
    others = np.ones(len(change), bool)
    others[:2], others[-2:] = False, False
    for place in places:
        others[max(0, place - 5) : place + 6] = False
    at_seams = np.array([change[place - 2 : place + 3].max() for place in places])
    peaks = np.array([change[i - 2 : i + 3].max() for i in np.flatnonzero(others)])
    ranks = _ranks(at_seams, peaks)
    drawn = np.random.default_rng(0).choice(peaks, (resamples, len(places)))
    chance = _ranks(drawn, peaks).mean(axis=1)
    return Seams(len(places), float(ranks.mean()), float((1 + (chance >= ranks.mean()).sum()) / (resamples + 1)))


def _ranks(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Share of `among` that is smaller, ties half."""
    ordered = np.sort(among)
    return (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")) / (2 * len(ordered))
