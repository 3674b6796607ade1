"""`moviegen personalize --face IMAGE --prompt ...`: a picture of a person in, a video of that person out."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from moviegen.config import console, parse_config
from moviegen.errors import UsageError
from moviegen.pipelines.generate_cli import IMAGE_SUFFIXES, VIDEO_SUFFIXES, choose_device
from moviegen.pipelines.host import TERMINAL, Host

if TYPE_CHECKING:
    import numpy as np

    from moviegen.pipelines.recipe import Recipe
    from moviegen.pipelines.video import VideoDefaults

FACE_PX = 336
"""Side of the cut-out face, as curation prepares them."""


@dataclass(frozen=True)
class PersonalizeConfig:
    """Whom to show, and how. A value left out is the model's own default (its last training stage's)."""

    face: Path
    """Picture of one person (.png, .jpg, .webp); the face is found and cut out, or the reason why not is told."""
    prompt: str
    """What to show."""
    model: Path
    """Folder of a personalisation model: model_index.json, tae/, personal_dit/, vision/, text_<i>/."""
    output: Path
    """A .mp4 or .mkv (video), a .png or .jpg (image)."""
    finder: str = "mtcnn"
    """Who finds the face: mtcnn (weights come with facenet-pytorch), the path of an Ultra-Light face model (.onnx), or none: the picture
    is a cut-out face on black already."""
    face_box: tuple[int, int, int, int] | None = None
    """Left, top, right, bottom of the face in px, instead of a finder: --face_box [120,80,360,400]."""
    min_face_px: int = 64
    """Shorter side of a face from which on it is taken (our decision)."""
    segmentation: Literal["grabcut", "model", "none"] = "grabcut"
    """How the background is taken away: grabcut without weights, `segmenter`, or not. As the training data's was."""
    segmenter: Path | None = None
    """TorchScript: a picture (1, 3, H, W) in 0..1 -> the person's probability (1, 1, H, W)."""
    save_face: Path | None = None
    """Writes the cut-out face here (.png), to look at."""
    negative_prompt: str = ""
    """What guidance leads away from."""
    num_frames: int | None = None
    width: int | None = None
    """Pixels."""
    height: int | None = None
    """Pixels."""
    fps: str | None = None
    """Frames a second, a number or a ratio: 16, 24000/1001."""
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    """How much it keeps to the prompt."""
    face_guidance_scale: float = 0.0
    """How much more it keeps to the face; 0: as the network does by itself."""
    seed: int = 0
    """Of the noise."""
    device: str = "auto"
    """cpu, cuda, or auto: cuda where there is one."""
    overwrite: bool = False
    """Make the file again when it lies there already with the same recipe."""
    dry_run: bool = False
    """Find and cut out the face, say what would be made; load no model, write nothing but --save_face."""
    json: bool = False
    """Print one JSON line on stdout instead of the path."""

    def __post_init__(self) -> None:
        if self.output.suffix.lower() not in VIDEO_SUFFIXES + IMAGE_SUFFIXES:
            raise UsageError(
                f"--output {self.output}: wanted a name that ends in one of {VIDEO_SUFFIXES + IMAGE_SUFFIXES}"
            )
        if self.save_face is not None and self.save_face.suffix.lower() != ".png":
            raise UsageError(f"--save_face {self.save_face}: wanted a .png")
        if self.output.suffix.lower() in IMAGE_SUFFIXES and (self.num_frames or 1) != 1:
            raise UsageError(
                f"an image has one frame, --num_frames is {self.num_frames}; for a video name the output .mp4"
            )


def main(argv: Sequence[str]) -> int:
    """Finds the face, generates, writes; prints the path of the file."""
    config, _ = parse_config(
        PersonalizeConfig,
        argv,
        prog="moviegen personalize",
        summary="A picture of a person and a text to a video of that person.",
        examples=(
            'moviegen personalize --face anna.jpg --prompt "a woman paints a fence" --model runs/personal/model --output anna.mp4',
            'moviegen personalize --face group.jpg --face-box [120,80,360,400] --prompt "a man reads" --model runs/personal/model \\',
            "      --output he.mp4 --save-face he.png",
            'moviegen personalize --face anna.jpg --prompt "a woman paints" --model runs/personal/model --output a.mp4 --dry-run',
        ),
    )
    run(config)
    return 0


def run(config: PersonalizeConfig, host: Host = TERMINAL) -> None:
    """Makes what the config says, or in a dry run says what would be made."""
    if not config.model.is_dir():
        raise UsageError(
            f"--model {config.model}: no such folder; wanted a personalisation model's, with model_index.json"
        )
    face, settings = prepare(config)
    if config.save_face is not None:
        from moviegen.media.write import write_image

        write_image(config.save_face, face)
    if config.dry_run:
        console().print(
            f"would write {config.output}: {config.prompt!r}, seed {config.seed}, {words_of(settings)}", markup=False
        )
        return
    personalize(config, settings, host)


def prepare(config: PersonalizeConfig) -> "tuple[np.ndarray, dict[str, Any]]":
    """The cut-out face and the settings of the recipe, its box among them, before any model is loaded. Raises UsageError."""
    shape = wanted_shape(config)
    picture, box = locate(config)
    settings = settings_of(config, shape, box)
    if config.segmenter is not None and config.segmentation != "model":
        raise UsageError(f"--segmenter {config.segmenter}: wants --segmentation model")
    return cut_face(picture, settings, config.segmenter), settings


def locate(config: PersonalizeConfig) -> "tuple[np.ndarray, list[float] | None]":
    """The picture, and the box of its face: as given, as found, or None where it is a cut-out already."""
    import numpy as np

    from moviegen.faces import check_box, choose_face, load_finder
    from moviegen.media.read import read_image
    from moviegen.media.worker import guarded_call

    if not config.face.is_file():
        raise UsageError(f"--face {config.face}: no such file")
    picture, name = guarded_call(read_image, config.face), f"--face {config.face}"
    if config.face_box is not None:
        left, top, right, bottom = config.face_box
        if not (0 <= left < right <= picture.shape[1] and 0 <= top < bottom <= picture.shape[0]):
            raise UsageError(
                f"--face_box {list(config.face_box)}: wanted left < right, top < bottom inside {picture.shape[1]}x{picture.shape[0]} px"
            )
        return picture, check_box(np.array(config.face_box, float), name, config.min_face_px).tolist()
    if config.finder == "none":
        return picture, None
    return picture, choose_face(load_finder(config.finder)(picture), name, config.min_face_px).tolist()


def cut_face(picture: "np.ndarray", settings: Mapping[str, Any], segmenter: Path | None) -> "np.ndarray":
    """(side, side, 3) uint8: the head on black, as the training data has it."""
    import numpy as np

    from moviegen.cutout import cut_out, load_segment

    if settings["face_box"] is None:
        height, width = picture.shape[:2]
        if height != width:
            raise UsageError(
                f"--finder none: the picture is {width}x{height}, wanted a square cut-out; or let a finder cut it"
            )
        return picture
    segment = load_segment("personalize", settings["segmentation"], segmenter)
    return cut_out(picture, np.array(settings["face_box"]), FACE_PX, segment)


def wanted_shape(config: PersonalizeConfig) -> "VideoDefaults":
    """The model's defaults with what was asked for. Raises UsageError before any weight is loaded."""
    from moviegen.pipelines.personal import PIPELINE
    from moviegen.pipelines.product import values_of
    from moviegen.pipelines.video import decode_defaults

    defaults = decode_defaults(values_of(config.model, PIPELINE)["defaults"])
    is_image = config.output.suffix.lower() in IMAGE_SUFFIXES
    try:
        return defaults.override(
            num_frames=1 if is_image else config.num_frames, width=config.width, height=config.height,
            fps=Fraction(config.fps) if config.fps else None, num_inference_steps=config.num_inference_steps,
            guidance_scale=config.guidance_scale,
        )  # fmt: skip
    except (ValueError, ZeroDivisionError) as error:
        raise UsageError(f"moviegen personalize: {error}") from error


def settings_of(config: PersonalizeConfig, shape: "VideoDefaults", box: Sequence[float] | None) -> dict[str, Any]:
    """What decides the file, for its recipe."""
    from moviegen.pipelines.video import encode_defaults

    return {
        "prompt": config.prompt, "negative_prompt": config.negative_prompt, "seed": config.seed,
        "face_guidance_scale": config.face_guidance_scale, "face_box": None if box is None else list(box),
        "segmentation": config.segmentation, **encode_defaults(shape),
    }  # fmt: skip


def words_of(settings: Mapping[str, Any]) -> str:
    """What the settings come to, on one line."""
    box = settings["face_box"]
    where = (
        "a cut-out"
        if box is None
        else f"face {box[2] - box[0]:.0f}x{box[3] - box[1]:.0f} px at {box[0]:.0f},{box[1]:.0f}"
    )
    return (
        f"{where}; {settings['num_frames']} frames, {settings['width']}x{settings['height']}, {settings['fps']} fps; "
        f"{settings['num_inference_steps']} steps, guidance {settings['guidance_scale']:g}"
    )


def personalize(config: PersonalizeConfig, settings: Mapping[str, Any], host: Host) -> None:
    """Makes one file, unless it lies there already."""
    from moviegen.pipelines.recipe import is_made, make_recipe, steady, tags_of

    device = choose_device(config.device)
    steady()
    inputs = {"face": config.face} | ({"segmenter": config.segmenter} if config.segmenter else {})
    recipe = make_recipe("personalize", settings, models={"model": config.model}, inputs=inputs, device=device)
    tags_of(recipe)  # says so when the prompt is too long
    if not config.overwrite and is_made(config.output, recipe):
        console().print(f"there already: {config.output}", markup=False)
        return
    start = time.monotonic()
    remake(recipe, {"model": config.model, **inputs}, config.output, device, host)
    host.made(config.output, {"seconds": round(time.monotonic() - start, 2), **recipe.settings}, config.json)


def remake(recipe: "Recipe", places: Mapping[str, Path], output: Path, device: str, host: Host = TERMINAL) -> None:
    """Makes a file of this verb, now or again for `moviegen reproduce`. The face's box is the recipe's: no finder is needed again."""
    from moviegen.media.read import read_image
    from moviegen.media.worker import guarded_call
    from moviegen.pipelines.generating import write_output
    from moviegen.pipelines.personal import PersonalPipeline
    from moviegen.pipelines.video import decode_defaults, encode_defaults

    settings = recipe.settings
    face = cut_face(guarded_call(read_image, places["face"]), settings, places.get("segmenter"))
    pipeline = host.load(PersonalPipeline, places["model"], device)
    shape = decode_defaults({name: settings[name] for name in encode_defaults(pipeline.defaults)})
    with host.progress(shape.num_inference_steps) as advance:
        video = pipeline(
            face, settings["prompt"], negative_prompt=settings["negative_prompt"], **vars(shape),
            face_guidance_scale=settings["face_guidance_scale"], seed=settings["seed"], callback=advance,
        )  # fmt: skip
    write_output(output, video, recipe)
