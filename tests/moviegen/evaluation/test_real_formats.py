"""`eval run` by networks in the formats in which they are published, beside the library asked directly: numbers to 1e-5."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from moviegen.cli import main  # noqa: E402
from moviegen.media.audio import read_audio  # noqa: E402
from moviegen.media.read import read_video  # noqa: E402
from moviegen.media.write import write_image, write_video  # noqa: E402
from moviegen.pipelines.scoring import load_score  # noqa: E402
from moviegen.testing import tiny_networks as tiny  # noqa: E402
from moviegen.testing.pairs import make_clip  # noqa: E402

NAMES = ("a", "b", "c")
SHOWN = np.linspace(0, 5, 4).round().astype(int)
"""Frames that four of six are."""


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    """`made` and `real`, three clips of 6 frames of 40x56 px with a second of sound each, captions beside the made ones; `people`."""
    root = tmp_path_factory.mktemp("formats")
    for folder, first in (("made", 0), ("real", 10)):
        (root / folder).mkdir()
        for i, name in enumerate(NAMES):
            sound = np.random.default_rng(first + i).normal(0, 0.1, (1, 48000)).astype(np.float32)
            frames = make_clip(first + i, 6, 56)[:, :40]
            write_video(root / folder / f"{name}.mp4", frames, Fraction(6), audio=sound)
    (root / "people").mkdir()
    for i, name in enumerate(NAMES):
        (root / "made" / f"{name}.txt").write_text("a dog")
        write_image(root / "people" / f"{name}.png", make_clip(i, 1, 56)[0, :40])
    return root


def evaluate(clips: Path, output: Path, metrics: tuple[str, ...], **networks: object) -> dict[str, float]:
    """Metric -> value."""
    words = ["t2v,audio,identity", clips / "made", "--reference", clips / "real", "--pictures", clips / "people", "--allow_small", "true",
             "--output", output, "--workers", 1, "--metrics", json.dumps(metrics), "--networks.frames", 4]  # fmt: skip
    words += [word for name, value in networks.items() for word in (f"--networks.{name}", value)]
    assert main(["eval", "run", *map(str, words)]) == 0
    return {row["metric"]: row["value"] for row in json.loads((output / "results-made.json").read_text())["metrics"]}


def frames_of(clips: Path, folder: str) -> list[np.ndarray]:
    return [read_video(clips / folder / f"{name}.mp4")[SHOWN] for name in NAMES]


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    """By the eigenvalues of the product, another way than ours."""
    s, t = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = np.sqrt(np.linalg.eigvals(s @ t).astype(complex)).real.sum()
    return float(np.square(a.mean(0) - b.mean(0)).sum() + np.trace(s) + np.trace(t) - 2 * root)


def cosines(seen: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.mean(seen @ wanted / np.linalg.norm(seen, axis=1) / np.linalg.norm(wanted)))


def numbers(answer) -> np.ndarray:
    return getattr(answer, "pooler_output", answer).detach().double().numpy()


@torch.no_grad()
def test_folders_of_the_transformers_library(clips, tmp_path):
    folders = {
        name: make(tmp_path / name)
        for name, make in (("clip", tiny.make_clip_folder), ("clap", tiny.make_clap_folder), ("dino", tiny.make_dino_folder),
                           ("mae", tiny.make_video_mae_folder))
    }  # fmt: skip
    asked = ("clip.alignment", "clip.consistency", "clap.alignment", "fid.*", "fvd.*", "fad.*", "identity.mean")
    found = evaluate(
        clips, tmp_path / "out", asked, clip=folders["clip"],
        clap=folders["clap"], image_extractor=folders["dino"], video_extractor=folders["mae"], audio_extractor=folders["clap"],
        identity=folders["dino"],
    )  # fmt: skip
    made, real = frames_of(clips, "made"), frames_of(clips, "real")
    load = {
        name: transformers.AutoImageProcessor.from_pretrained(path) for name, path in folders.items() if name != "clap"
    }

    clip = transformers.CLIPModel.from_pretrained(folders["clip"]).eval()
    words = transformers.AutoTokenizer.from_pretrained(folders["clip"])(["a dog"], return_tensors="pt")
    words = {name: words[name] for name in ("input_ids", "attention_mask")}
    text = numbers(clip.get_text_features(**words))[0]
    seen = [numbers(clip.get_image_features(**load["clip"](images=list(x), return_tensors="pt"))) for x in made]
    alignment = [cosines(each, text) for each in seen]
    assert found["clip.alignment"] == pytest.approx(np.mean(alignment), abs=1e-5)
    steps = [cosines(frames[i : i + 1], frames[i + 1]) for frames in seen for i in range(3)]
    assert found["clip.consistency"] == pytest.approx(np.mean(steps), abs=1e-5)
    score = load_score(f"clip.alignment={folders['clip']}")
    whole = read_video(clips / "made" / "a.mp4")
    per_frame = numbers(clip.get_image_features(**load["clip"](images=list(whole), return_tensors="pt")))
    assert score(whole, Fraction(6), "a dog") == pytest.approx(cosines(per_frame, text), abs=1e-5), (
        "sixteen frames at most"
    )

    clap = transformers.ClapModel.from_pretrained(folders["clap"]).eval()
    listen = transformers.ClapFeatureExtractor.from_pretrained(folders["clap"])

    def heard(folder: str) -> np.ndarray:
        sounds = [read_audio(clips / folder / f"{name}.mp4", sample_rate=48000)[0] for name in NAMES]
        return np.stack(
            [numbers(clap.get_audio_features(**listen(x, sampling_rate=48000, return_tensors="pt")))[0] for x in sounds]
        )

    assert found["clap.alignment"] == pytest.approx(
        cosines(heard("made"), numbers(clap.get_text_features(**words))[0]), abs=1e-5
    )
    assert found["fad.clap"] == pytest.approx(frechet(heard("made"), heard("real")), rel=1e-5)

    dino = transformers.Dinov2Model.from_pretrained(folders["dino"]).eval()
    pictures = [
        [numbers(dino(**load["dino"](images=list(x), return_tensors="pt"))) for x in part] for part in (made, real)
    ]
    assert found["fid.dino"] == pytest.approx(frechet(*(np.concatenate(part) for part in pictures)), rel=1e-5)
    mae = transformers.VideoMAEModel.from_pretrained(folders["mae"]).eval()
    videos = [
        np.stack(
            [
                mae(**load["mae"](list(x), return_tensors="pt")).last_hidden_state.mean(1)[0].double().numpy()
                for x in part
            ]
        )
        for part in (made, real)
    ]
    assert found["fvd.mae"] == pytest.approx(frechet(*videos), rel=1e-5)
    people = [
        numbers(dino(**load["dino"](images=[make_clip(i, 1, 56)[0, :40]], return_tensors="pt")))[0] for i in range(3)
    ]
    assert found["identity.mean"] == pytest.approx(
        np.mean([cosines(seen, person) for seen, person in zip(pictures[0], people, strict=True)]), abs=1e-5
    )


@torch.no_grad()
def test_siglip_reads_texts_padded_to_its_context(clips, tmp_path):
    folder = tiny.make_siglip_folder(tmp_path / "siglip")
    found = evaluate(clips, tmp_path / "out", ("clip.alignment",), clip=folder)
    model = transformers.SiglipModel.from_pretrained(folder).eval()
    prepare = transformers.AutoImageProcessor.from_pretrained(folder)
    words = torch.tensor([[3, 4, 2, 1, 1, 1, 1, 1]])  # a dog </s>, and padding
    text = numbers(model.get_text_features(input_ids=words))[0]
    seen = [
        numbers(model.get_image_features(**prepare(images=list(x), return_tensors="pt")))
        for x in frames_of(clips, "made")
    ]
    assert found["clip.alignment"] == pytest.approx(np.mean([cosines(each, text) for each in seen]), abs=1e-5)


@torch.no_grad()
def test_open_clip_and_torchscript_of_torchvision_and_facenet(clips, tmp_path):
    open_clip = pytest.importorskip("open_clip")
    models = pytest.importorskip("torchvision.models")
    facenet = pytest.importorskip("facenet_pytorch")
    from PIL import Image

    from moviegen.testing.tiny_text import make_metaclip

    torch.manual_seed(0)
    inception = models.Inception3(num_classes=6, aux_logits=False, init_weights=False)
    parts = models.video.resnet
    resnet = parts.VideoResNet(parts.BasicBlock, [parts.Conv3DSimple] * 4, [1, 1, 1, 1], parts.BasicStem, num_classes=6)
    face = facenet.InceptionResnetV1(pretrained=None)
    found = evaluate(
        clips, tmp_path / "out", ("clip.alignment", "fid.*", "fvd.*", "identity.mean"), clip=make_metaclip(tmp_path / "metaclip"),
        image_extractor=tiny.save_torchscript(inception, tmp_path / "inception.pt", 4, 3, 80, 80), image_px=80, image_pixels="0..1",
        video_extractor=tiny.save_torchscript(resnet, tmp_path / "r3d.pt", 1, 3, 4, 32, 32), video_px=32,
        identity=tiny.save_torchscript(face, tmp_path / "facenet.pt", 4, 3, 80, 80), identity_px=80,
    )  # fmt: skip
    made, real = frames_of(clips, "made"), frames_of(clips, "real")

    def squeezed(frames: np.ndarray, side: int) -> np.ndarray:
        return np.stack(
            [np.asarray(Image.fromarray(x).resize((side, side), Image.Resampling.BILINEAR)) for x in frames]
        )

    def tensor(frames: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(frames.copy()).permute(0, 3, 1, 2).float()

    model, _, prepare = open_clip.create_model_and_transforms(f"local-dir:{tmp_path / 'metaclip'}")
    text = (
        model.eval()
        .encode_text(open_clip.get_tokenizer(f"local-dir:{tmp_path / 'metaclip'}")(["a dog"]))[0]
        .double()
        .numpy()
    )
    seen = [
        model.encode_image(torch.stack([prepare(Image.fromarray(x)) for x in frames])).double().numpy()
        for frames in made
    ]
    assert found["clip.alignment"] == pytest.approx(np.mean([cosines(each, text) for each in seen]), abs=1e-5)
    pictures = [
        np.concatenate([inception(tensor(squeezed(x, 80)) / 255).double().numpy() for x in part])
        for part in (made, real)
    ]
    assert found["fid.inception"] == pytest.approx(frechet(*pictures), rel=1e-5)
    videos = [
        np.concatenate(
            [resnet((tensor(squeezed(x, 32)) / 127.5 - 1).transpose(0, 1)[None]).double().numpy() for x in part]
        )
        for part in (made, real)
    ]
    assert found["fvd.r3d"] == pytest.approx(frechet(*videos), rel=1e-5)

    def known(frames: np.ndarray) -> np.ndarray:
        return face(tensor(squeezed(frames[:, :, 8:48], 80)) / 127.5 - 1).double().numpy()

    people = [known(make_clip(i, 1, 56)[:, :40])[0] for i in range(3)]
    alike = [cosines(known(x), person) for x, person in zip(made, people, strict=True)]
    assert found["identity.mean"] == pytest.approx(np.mean(alike), abs=1e-5)


class Scores(torch.nn.Module):
    """Class scores unless asked for features, as I3D and InceptionV3 are published."""

    def forward(self, x: torch.Tensor, rescale: bool = True, return_features: bool = False) -> torch.Tensor:
        if rescale:
            x = x / 0
        return x.mean((2, 3, 4)) if return_features else x.sum((2, 3, 4)) * 0


def test_a_file_that_answers_class_scores_is_asked_for_features(clips, tmp_path):
    torch.jit.save(torch.jit.script(Scores()), str(tmp_path / "i3d.pt"))
    networks = {"video_extractor": tmp_path / "i3d.pt", "video_px": 32, "video_pixels": "0..255"}
    found = evaluate(clips, tmp_path / "out", ("fvd.*",), **networks)
    means = [np.stack([x.mean((0, 1, 2)) for x in frames_of(clips, folder)]) for folder in ("made", "real")]
    assert found["fvd.i3d"] == pytest.approx(frechet(*means), rel=0.2), "means of frames that were squeezed a little"


@pytest.mark.data
def test_faces_are_found_in_real_pictures(media_dir, tmp_path):
    pytest.importorskip("cv2")
    size = {"size": (320, 180)}
    person = read_video(media_dir / "woman_portrait.mp4", indices=[0, 30, 60], **size)
    nobody = read_video(media_dir / "bottles_static_40s.mp4", indices=[0], **size)
    for folder in ("made", "real", "people"):
        (tmp_path / folder).mkdir()
    write_video(tmp_path / "made" / "a.mp4", np.concatenate([person[:2], nobody]), Fraction(3))
    for folder in ("made", "real"):
        write_video(tmp_path / folder / "b.mp4", nobody, Fraction(3))
    write_image(tmp_path / "people" / "a.png", person[2])
    weights = tiny.save_torchscript(
        torch.nn.Sequential(torch.nn.AvgPool2d(28), torch.nn.Flatten()), tmp_path / "face.pt", 1, 3, 112, 112
    )
    finder = media_dir / "weights" / "ultralight_face" / "version-RFB-320.onnx"
    found = evaluate(tmp_path, tmp_path / "out", ("identity.faces", "identity.mean"), identity=weights, faces=finder)
    rows = {
        (row["item"], row["metric"]): row
        for row in json.loads((tmp_path / "out" / "results-made.json").read_text())["scores"]
    }
    assert rows["a", "identity.faces"]["value"] == pytest.approx(2 / 3), "of three frames one shows bottles"
    assert rows["b", "identity.faces"]["value"] == 0
    assert rows["b", "identity.mean"]["reason"] == "no face was found"
    assert found["identity.mean"] > 0.95


@pytest.mark.slow  # the import alone
@pytest.mark.data
def test_lpips_with_the_real_heads_is_torchmetrics_own(media_dir, tmp_path):
    lpips = pytest.importorskip("torchmetrics.functional.image.lpips")
    from safetensors.torch import save_file

    torch.manual_seed(0)
    theirs = lpips._LPIPS(net="vgg", pnet_rand=True).eval()
    layers = {int(name): layer for part in theirs.net.children() for name, layer in part.named_children()}
    heads = torch.load(media_dir / "weights" / "lpips_lin" / "vgg.pth", map_location="cpu", weights_only=True)
    state = {f"features.{i}.{k}": v.contiguous() for i, layer in layers.items() for k, v in layer.state_dict().items()}
    state |= {f"heads.{i}": heads[f"lin{i}.model.1.weight"].flatten().contiguous() for i in range(5)}
    save_file(state, tmp_path / "lpips.safetensors")
    from moviegen.evaluation.inside import pixels_of
    from moviegen.evaluation.perceptual import Perceptual

    a, b = make_clip(1, 3, 64, noise=20.0), make_clip(1, 3, 64)
    with torch.no_grad():
        wanted = theirs(*(pixels_of(clip)[0].transpose(0, 1) for clip in (a, b))).flatten().numpy()
    assert Perceptual(tmp_path / "lpips.safetensors").of_frames(a, b) == pytest.approx(wanted, rel=1e-4)
