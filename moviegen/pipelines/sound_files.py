"""A sound by its recipe: made, chosen of several, laid under the pictures. Samples stream through files, never whole in memory."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from moviegen.media.chunks import first_picture_s
from moviegen.media.mux import CONTAINERS, mux_films, raw_pieces, write_wav
from moviegen.media.tags import add_comment
from moviegen.pipelines.film_jobs import workplace
from moviegen.pipelines.host import TERMINAL, Host
from moviegen.pipelines.recipe import Recipe, encode_recipe, tags_of
from moviegen.pipelines.sound_film import Film, KnownSound, best_candidate, film_between, parse_spans, sound_of_file
from moviegen.pipelines.sound_rank import MODELS, WANTED, rank_scores
from moviegen.pipelines.sound_score import score_of
from moviegen.pipelines.sound_settings import Choose, SoundSettings
from moviegen.pipelines.soundtrack import SoundtrackPipeline

ENCODED_BEYOND_S = 1.0
"""Of sound behind what is kept that is read too: more than the codec's convolutions reach."""


def write_sound(
    pipeline: SoundtrackPipeline,
    film: Film | None,
    places: Mapping[str, Path],
    path: Path,
    recipe: Recipe,
    host: Host = TERMINAL,
) -> dict[str, Any]:
    """Makes a file by its recipe: the sound streams into files of raw samples, the best goes beside the pictures, which are copied.
    Gives what there is to say of it."""
    settings = settings_of(recipe)
    known = known_sound(pipeline, str(recipe.settings["keep"]), places, settings.num_samples)
    with workplace(path, recipe) as (folder, out):
        raw = [folder / f"{number}.f32" for number in range(settings.num_candidates)]
        with host.steps() as advance:
            chooser = (
                None if settings.rerank == "whole" else segment_chooser(recipe, film, places, pipeline.sample_rate)
            )
            write_raw(raw, pipeline.stream(film, settings, known, advance, chooser))
        best, score = choose(raw, recipe, film, places, pipeline.sample_rate)
        if path.suffix.lower() == ".wav":
            write_wav_with(out, raw[best], pipeline.sample_rate, recipe)
        else:
            mux_films(
                places["video"], out, samples=raw[best], sample_rate=pipeline.sample_rate,
                container=CONTAINERS[path.suffix.lower()], tags=tags_of(recipe),
            )  # fmt: skip
    found = {"num_samples": settings.num_samples, "sample_rate": pipeline.sample_rate, "text": settings.text}
    return found | ({} if score is None else {"candidate": best, "score": round(score, 4)})


def settings_of(recipe: Recipe) -> SoundSettings:
    """The settings in a recipe."""
    return SoundSettings(**{n: v for n, v in recipe.settings.items() if n not in ("score", "keep")})


def known_sound(
    pipeline: SoundtrackPipeline, keep: str, places: Mapping[str, Path], num_samples: int
) -> KnownSound | None:
    """What stays: of the sound's file from its beginning, of the video's own sound from its first picture on."""
    spans = parse_spans(keep)
    if not spans:
        return None
    path = places.get("sound", places.get("video"))
    assert path is not None
    start_s = 0.0 if "sound" in places else first_picture_s(path)
    length_s = min(spans[-1][1] + ENCODED_BEYOND_S, num_samples / pipeline.sample_rate)
    return KnownSound(sound_of_file(path, pipeline.sample_rate, start_s, start_s + length_s), spans)


def write_raw(paths: Sequence[Path], pieces: Iterable[np.ndarray]) -> None:
    """Writes the candidates' samples (B, N), a file of float32 each."""
    with ExitStack() as stack:
        files = [stack.enter_context(open(path, "wb")) for path in paths]
        for piece in pieces:
            for file, row in zip(files, piece, strict=True):
                file.write(row.astype("<f4").tobytes())


def choose(
    raw: Sequence[Path], recipe: Recipe, film: Film | None, places: Mapping[str, Path], sample_rate: int
) -> tuple[int, float | None]:
    """(number of the best candidate, its score), no score where there is only one."""
    if len(raw) == 1:
        return 0, None
    sounds = [np.memmap(path, np.float32, "r") for path in raw]
    scores = scores_of(sounds, recipe, film, places, sample_rate)
    best = best_candidate(scores)
    return best, scores[best]


def scores_of(
    sounds: Sequence[np.ndarray], recipe: Recipe, film: Film | None, places: Mapping[str, Path], sample_rate: int
) -> list[float]:
    """A number a candidate, by the recipe's score."""
    name = str(recipe.settings["score"])
    if name == MODELS:
        return rank_scores(sounds, sample_rate, film, {each: places[each] for each in WANTED if each in places})
    score = score_of(str(places["score"]) if name == "score" else name, film)
    return [score(sound, sample_rate) for sound in sounds]


def segment_chooser(recipe: Recipe, film: Film | None, places: Mapping[str, Path], sample_rate: int) -> Choose:
    """Chooses among the candidates of a segment, against the part of the film that it belongs to."""

    def best(sounds: Sequence[np.ndarray], start_s: float) -> int:
        part = None if film is None else film_between(film, start_s, start_s + sounds[0].size / sample_rate)
        return best_candidate(scores_of(sounds, recipe, part, places, sample_rate))

    return best


def write_wav_with(out: Path, raw: Path, sample_rate: int, recipe: Recipe) -> None:
    """Writes raw samples as a WAV with the recipe in it."""
    write_wav(out, raw_pieces(raw, 1), sample_rate)
    out.write_bytes(add_comment(out.read_bytes(), "wav", encode_recipe(recipe)))
