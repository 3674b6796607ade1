"""Films and sets of the laboratory: the same bytes, what they say is what they show, nothing made twice, a wrong seed refused."""

import tarfile
from dataclasses import replace

import numpy as np
import pytest

from moviegen.contracts.sets import decode_edit, decode_personal
from moviegen.errors import UsageError
from moviegen.media.read import read_audio, read_image, read_video
from moviegen.testing.lab.edits import judge_edit, psnr, sample_edit
from moviegen.testing.lab.films import film_take, write_films
from moviegen.testing.lab.pictures import take_frames
from moviegen.testing.lab.sets import write_edits, write_people
from moviegen.testing.lab.sound import hear, material_of
from moviegen.testing.lab.words import parse_take
from moviegen.testing.scene import bounce_times


def test_films_show_what_is_written_beside_them(tmp_path):
    assert write_films(tmp_path / "a", "video", 7, 3) == 3
    write_films(tmp_path / "b", "video", 7, 3)
    for path in sorted((tmp_path / "a").glob("*.mp4")):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
        take = film_take("video", 7, int(path.stem[-5:]))
        assert psnr(read_video(path), take_frames(take)) > 28
        assert parse_take(path.with_suffix(".txt").read_text().strip()).family == take.family
    (tmp_path / "a" / "truth.json").unlink()
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "a").glob("*.mp4")}
    write_films(tmp_path / "a", "video", 7, 3)
    assert times == {path: path.stat().st_mtime_ns for path in times}
    with pytest.raises(UsageError, match="holds a world of"):
        write_films(tmp_path / "a", "sound", 7, 3)
    with pytest.raises(UsageError, match="to train give one of 0 to 999"):
        write_films(tmp_path / "c", "video", 2000, 3)


def test_films_stand_on_one_floor_and_large_ones_each_on_its_own():
    empty = [replace(film_take("video", 7, i), is_empty=True, word="") for i in range(40)]
    floors = {
        take_frames(take, 1).tobytes()
        for take in empty
        if (take.scene.camera, take.scene.background) == ("static", "slate")
    }
    assert len(floors) == 1
    assert len({film_take("large", 7, i).scene.seed for i in range(8)}) == 8


def test_a_film_with_sound_is_heard_at_its_bounces(tmp_path):
    write_films(tmp_path, "sound", 7, 1)
    take = film_take("sound", 7, 0)
    heard = hear(read_audio(tmp_path / "take_00000.mp4", sample_rate=16000)[0], bounce_times(take.scene))
    assert (heard.onsets, heard.material) == (1.0, material_of(take.scene))


def members(lake, kind):
    """Members by suffix of each sample of the set's only tar, in order."""
    (path,) = (lake / "sets" / f"kind={kind}").rglob("*.tar")
    samples: dict[str, dict[str, bytes]] = {}
    with tarfile.open(path) as tar:
        for info in tar:
            key, _, suffix = info.name.partition(".")
            samples.setdefault(key, {})[suffix] = tar.extractfile(info).read()
    return path, list(samples.values())


def test_edits_are_exact_and_animated_stills_move_alike(tmp_path):
    write_edits(tmp_path, 7, 2)
    path, samples = members(tmp_path, "edits")
    tasks = []
    for sample in samples:
        meta, instruction, before, after = decode_edit(sample)
        tasks.append(meta.task)
        edit = next(
            edit
            for edit in (
                sample_edit(np.random.default_rng([7, i]), kind) for i, kind in ((0, "recolour"), (1, "remove"))
            )
            if edit.instruction == instruction
        )
        if meta.task == "backtranslate":
            assert psnr(read_video(before), take_frames(edit.before)) > 28
            assert judge_edit(edit, read_video(after)).is_done
    assert sorted(tasks) == ["animate", "animate", "backtranslate", "backtranslate"]
    stamp = path.stat().st_mtime_ns
    write_edits(tmp_path, 7, 2)
    assert path.stat().st_mtime_ns == stamp
    write_edits(tmp_path / "other", 7, 2)
    assert members(tmp_path / "other", "edits")[0].read_bytes() == path.read_bytes()


def test_portraits_of_a_set_are_of_the_films_face(tmp_path):
    told = []
    write_people(tmp_path, 7, 2, lambda *counts: told.append(counts))
    assert told == [(1, 2), (2, 2)]
    _, samples = members(tmp_path, "personal")
    pictures = {}
    for sample in samples:
        meta, caption, _, references = decode_personal(sample)
        assert caption.startswith("a person moves")
        pictures.setdefault(meta.clip.clip_id, {})[meta.pairing] = read_image(references[0])
    (a, b) = pictures.values()
    assert psnr(a["paired"], a["cross"]) > psnr(a["paired"], b["paired"]) + 6
