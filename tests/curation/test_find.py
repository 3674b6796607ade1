import json
from pathlib import Path

import numpy as np
import pytest

from curation.cli import curate
from curation.embedders import embedder_version, load_embedder
from curation.rows import write_rows
from moviegen.contracts.lake import Commit, Lake, Part
from moviegen.contracts.tables import TABLES
from moviegen.errors import UsageError

BLANK = {"string": "", "int64": 0, "int32": 0, "float64": 0.0, "bool": False}


def commit(lake: Lake, table: str, rows: list[dict], batch: str = "b") -> None:
    full = [
        {c.name: row.get(c.name, None if c.nullable else BLANK.get(c.type, [])) for c in TABLES[table].columns}
        for row in rows
    ]
    path = lake.part_path(table, batch, "test", "1", [table])
    sha256 = write_rows(lake.root / path, TABLES[table], full)
    lake.write_commit(Commit(table, batch, (Part(path, "test", "1", ("k",), len(rows), sha256),)))


def clip_row(name: str, video_id: str, start: int = 0) -> dict:
    span = {"start_pts": start, "end_pts": start + 40, "tb_num": 1, "tb_den": 10, "fps_num": 10, "fps_den": 1}
    return {"clip_id": name, "video_id": video_id, "start_frame": start, "num_frames": 40, **span}


def vector_rows(vectors: dict[str, list], embedder: str, version: str = "1") -> list[dict]:
    return [
        {
            "clip_id": name,
            "embedder": embedder,
            "place": place,
            "vector": list(map(float, vector)),
            "embedder_version": version,
        }
        for name, each in vectors.items()
        for place, vector in enumerate(each)
    ]


def direction(degrees: float) -> list[float]:
    return [float(np.cos(np.radians(degrees))), float(np.sin(np.radians(degrees))), 0.0]


@pytest.fixture
def lake(tmp_path) -> Lake:
    """Two videos, four clips; their vectors lie 0, 10, 25 and 90 degrees from that of the first."""
    lake = Lake(tmp_path / "lake")
    ids = {"aa11": 0, "aa22": 10, "bb11": 25, "bb22": 90}
    videos = [{"uri": f"/in/{name}.mp4", "video_id": name, "status": "ok"} for name in ("one", "two")]
    commit(lake, "videos", videos)
    commit(lake, "clips", [clip_row(name, "one" if name[0] == "a" else "two", 50 * (name[2] == "2")) for name in ids])
    commit(lake, "captions", [{"clip_id": "aa22", "captioner": "source", "text": "a dog runs"}])
    commit(lake, "embeddings", vector_rows({name: [direction(angle)] for name, angle in ids.items()}, "fingerprint"))
    return lake


def asked(lake: Lake, capsys, *words: str) -> list[dict]:
    assert curate(["find", str(lake.root), *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


class TestClipsLikeAClip:
    def test_rank_similarity_file_span_caption(self, lake, capsys):
        first, second, third = asked(lake, capsys, "--clip", "aa11")
        assert first == {
            "rank": 1, "similarity": pytest.approx(np.cos(np.radians(10)), abs=1e-4), "clip_id": "aa22", "file": "/in/one.mp4",
            "start_s": 5.0, "end_s": 9.0, "caption": "a dog runs",
        }  # fmt: skip
        assert (second["clip_id"], second["start_s"], second["caption"]) == ("bb11", 0.0, None)
        assert third["similarity"] == pytest.approx(0, abs=1e-4)

    def test_a_table_for_people(self, lake, capsys):
        assert curate(["find", str(lake.root), "--clip", "bb2", "--top", "1"]) == 0
        out = capsys.readouterr().out
        assert out.split("\n")[0].split() == ["rank", "similarity", "clip_id", "file", "start_s", "end_s", "caption"]
        assert "(the 1 most alike; 2 more were compared: --top NUMBER shows them)" in out
        assert "bb11" in out
        assert curate(["find", str(lake.root), "--clip", "bb2"]) == 0
        assert "(all 3 clips that were compared)" in capsys.readouterr().out

    def test_a_videos_name_stands_for_its_clips(self, lake, capsys):
        assert [hit["clip_id"] for hit in asked(lake, capsys, "--clip", "one.mp4")] == ["bb11", "bb22"]

    def test_of_all_batches(self, lake, capsys):
        commit(lake, "clips", [clip_row("cc11", "one")], "later")
        commit(lake, "embeddings", vector_rows({"cc11": [direction(1)]}, "fingerprint"), "later")
        assert asked(lake, capsys, "--clip", "aa11")[0]["clip_id"] == "cc11"

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["--clip", "aa"], "several ids begin so, among them aa"),
            (["--clip", "zz"], "no clip's id begins with 'zz', no video of it is called so, and there is no such file"),
            ([], "give --text WORDS or --clip ID"),
            (["--clip", "aa11", "--text", "a dog"], "one of them"),
            (["--clip", "aa11", "--top", "0"], "--top is 0"),
            (["--clip", "aa11", "--embedder", "sscd"], "no embeddings of 'sscd'; there are those of fingerprint"),
            (["--clip", "aa11", "--sheet", "alike.txt"], "wanted a picture, a name that ends in .png"),
            (["--text", "a dog"], "has embeddings of fingerprint, which know no words; embed it with 'clip'"),
            (
                ["--clip", __file__],
                "vectors of fingerprint were made with other weights or parameters than no parameters",
            ),
            (["--clip", __file__, "--params", "{size: 3}"], r"no parameter 'size'; it has per_second \(here: --params"),
            (
                ["--text", "dog", "--embedder", "fingerprint"],
                "made with other weights or parameters than no parameters",
            ),
        ],
    )
    def test_what_is_refused(self, lake, words, message):
        with pytest.raises(UsageError, match=message):
            curate(["find", str(lake.root), *words])

    def test_a_clip_that_was_not_embedded(self, lake):
        commit(lake, "clips", [clip_row("dd11", "two")], "later")
        with pytest.raises(UsageError, match="clip dd11: has no vector of fingerprint"):
            curate(["find", str(lake.root), "--clip", "dd11"])

    def test_vectors_of_two_versions_are_not_compared(self, lake):
        commit(lake, "embeddings", vector_rows({"aa11": [direction(0)]}, "fingerprint", "2"), "later")
        with pytest.raises(
            UsageError, match=r"made by 2 versions of it, in the batches b; later; run moviegen curate embed"
        ):
            curate(["find", str(lake.root), "--clip", "aa11"])

    def test_a_lake_without_embeddings(self, tmp_path):
        lake = Lake(tmp_path / "bare")
        commit(lake, "clips", [clip_row("aa11", "one")])
        with pytest.raises(
            UsageError, match="has no embeddings; name an embedder in the YAML and run moviegen curate embed"
        ):
            curate(["find", str(lake.root), "--clip", "aa11"])


def test_a_file_from_elsewhere_by_its_fingerprint(tmp_path, film, capsys):
    """No weights: a worse copy of a film finds the film's clip, and knows no words."""
    from curation.scoring import clip_input
    from moviegen.media.read import read_video
    from moviegen.media.write import write_video

    lake, rows = Lake(tmp_path / "lake"), {name: [] for name in ("videos", "clips", "embeddings")}
    embedder = load_embedder("fingerprint")
    for seed in (0, 1):
        each = film("good", seed)
        rows["videos"].append(each.video | {"status": "ok"})
        clip, signals = each.clips()[0]
        rows["clips"].append(vars(clip))
        vectors = embedder.embed(clip_input(embedder.frames, clip, each.video, signals))
        rows["embeddings"] += vector_rows({clip.clip_id: vectors}, "fingerprint", embedder_version(embedder))
    for table, each in rows.items():
        commit(lake, table, [{c.name: row[c.name] for c in TABLES[table].columns if c.name in row} for row in each])
    copy, original = tmp_path / "copy.mp4", film("good", 1)
    write_video(copy, read_video(original.path), original.footage.fps, crf=36)
    hits = asked(lake, capsys, "--clip", str(copy))
    assert hits[0]["file"] == str(original.path)
    assert hits[0]["similarity"] > 0.9 > hits[1]["similarity"] + 0.2
    with pytest.raises(UsageError, match="--text 'a dog': fingerprint knows no words"):
        curate(["find", str(lake.root), "--text", "a dog", "--embedder", "fingerprint"])


@pytest.fixture(scope="module")
def colours_lake(tmp_path_factory, tiny_clip):
    """Three real files of one colour each, split and embedded by the tiny CLIP."""
    from fractions import Fraction

    from PIL import Image

    from curation.clips import SplitConfig, split_video
    from curation.detectors.clip_model import load_clip
    from moviegen.contracts.clip import file_sha256, video_id_of
    from moviegen.media.write import write_video

    folder = tmp_path_factory.mktemp("colours")
    network = load_clip("clip", Path(tiny_clip["clip_weights"]), tiny_clip["clip_model"])
    version = embedder_version(load_embedder("clip", tiny_clip))
    lake, rows = Lake(folder / "lake"), {name: [] for name in ("videos", "clips", "signals", "embeddings")}
    noise = np.random.default_rng(0).integers(0, 40, (48, 64, 96, 3))
    for name, colour in {"red": (200, 10, 10), "green": (10, 200, 10), "blue": (10, 10, 200)}.items():
        path = folder / f"{name}.mp4"
        write_video(path, (noise + colour).clip(0, 255).astype(np.uint8), Fraction(12))
        video_id = video_id_of(file_sha256(path))
        result = split_video(str(path), video_id, SplitConfig(start_trim_s=0.0, min_clip_s=1.0))
        rows["videos"].append({"uri": str(path), "video_id": video_id, "status": "ok"})
        rows["clips"] += result.clips
        rows["signals"] += result.signals
        frame = np.asarray(Image.new("RGB", (96, 64), colour))
        rows["embeddings"] += vector_rows(
            {result.clips[0]["clip_id"]: network.embed_images([frame]).numpy()}, "clip", version
        )
    for table, each in rows.items():
        commit(lake, table, each)
    return lake, rows, network


class TestWithClip:
    def test_a_text_finds_what_open_clip_says_is_nearest(self, colours_lake, tiny_clip, capsys):
        lake, rows, network = colours_lake
        text = network.embed_text("a green meadow").numpy()[0]
        expected = {row["clip_id"]: float(np.dot(row["vector"], text)) for row in rows["embeddings"]}
        hits = asked(lake, capsys, "--text", "a green meadow", *flags(tiny_clip))
        assert [hit["clip_id"] for hit in hits] == sorted(expected, key=lambda clip_id: -expected[clip_id])
        assert [hit["similarity"] for hit in hits] == pytest.approx(sorted(expected.values(), reverse=True), abs=2e-4)

    def test_a_file_from_elsewhere(self, colours_lake, tiny_clip, tmp_path, capsys):
        """A copy of the green film under another name: embedded here, it finds its own clip."""
        lake, rows, _ = colours_lake
        green = next(row for row in rows["videos"] if row["uri"].endswith("green.mp4"))
        copy = tmp_path / "meadow.mp4"
        copy.write_bytes(Path(green["uri"]).read_bytes())
        hits = asked(lake, capsys, "--clip", str(copy), *flags(tiny_clip))
        assert hits[0]["file"] == green["uri"]
        assert hits[0]["similarity"] > 0.9

    def test_weights_or_parameters_that_the_lake_was_not_made_with_are_refused(self, colours_lake, tiny_clip, tmp_path):
        import torch

        lake = colours_lake[0]
        state = torch.load(tiny_clip["clip_weights"], weights_only=True)
        state["logit_scale"] = state["logit_scale"] + 1
        torch.save(state, tmp_path / "other.pt")
        for words in (
            flags(tiny_clip | {"clip_weights": str(tmp_path / "other.pt")}),
            [*flags(tiny_clip), "--params", "{count: 9}"],
        ):
            with pytest.raises(
                UsageError, match=r"--text 'red' cannot be compared .* made with other weights or parameters"
            ):
                curate(["find", str(lake.root), "--text", "red", *words])
        assert curate(["find", str(lake.root), "--text", "red", *flags(tiny_clip), "--params", "{count: 4}"]) == 0

    def test_without_weights_it_says_what_to_give(self, colours_lake, tiny_clip, tmp_path):
        lake = colours_lake[0]
        with pytest.raises(UsageError, match=r"--text 'red' must be embedded .* give --clip_weights FILE"):
            curate(["find", str(lake.root), "--text", "red"])
        with pytest.raises(UsageError, match=r"there is no file .*none\.pt, open_clip weights of tiny-test"):
            curate(
                [
                    "find",
                    str(lake.root),
                    "--text",
                    "red",
                    "--clip_weights",
                    str(tmp_path / "none.pt"),
                    *flags(tiny_clip)[2:],
                ]
            )

    def test_a_sheet_shows_the_clips(self, colours_lake, tmp_path, capsys):
        """The clip looked for, then the two found: each cell has its film's colour."""
        import cv2

        lake, _, _ = colours_lake
        path = tmp_path / "alike.png"
        hits = asked(lake, capsys, "--clip", "red.mp4", "--sheet", str(path))
        image = cv2.imread(str(path))[:, :, ::-1]
        shown = [image[40, 60 + column * (image.shape[1] // 3)].argmax() for column in range(3)]
        names = ["red.mp4", *(Path(hit["file"]).name for hit in hits)]
        assert [("red.mp4", "green.mp4", "blue.mp4")[place] for place in shown] == names

    def test_a_sheet_without_the_sources_is_grey(self, lake, tmp_path, capsys):
        import cv2

        path = tmp_path / "alike.jpg"
        asked(lake, capsys, "--clip", "aa11", "--sheet", str(path))
        assert abs(cv2.imread(str(path))[40, 60].astype(int) - 200).max() < 5


def flags(tiny_clip: dict[str, str]) -> list[str]:
    return ["--clip_weights", tiny_clip["clip_weights"], "--clip_model", tiny_clip["clip_model"]]
