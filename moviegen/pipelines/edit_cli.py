"""`moviegen edit VIDEO --instruction ...`: a file in, the edited file out, with its sound."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moviegen.config import console, parse_config
from moviegen.errors import UsageError
from moviegen.pipelines.generate_cli import VIDEO_SUFFIXES, choose_device
from moviegen.pipelines.host import TERMINAL, Host

if TYPE_CHECKING:
    from moviegen.pipelines.recipe import Recipe

PICTURES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class EditConfig:
    """What to edit, and how. A value left out is the model's own default (its last training stage's)."""

    video: Path
    """A video, or a picture (.png, .jpg): a video of one frame."""
    instruction: str
    """What to change: "make the circle green"."""
    model: Path
    """Folder of an editing model: model_index.json, tae/, edit_dit/, text_<i>/."""
    output: Path
    """A .mp4 or .mkv; a .png or .jpg for a picture."""
    task: str = "local"
    """Kind of edit: local, style, background, add, remove, texture, global, segment, t2v, multi."""
    mask: Path | None = None
    """Picture or video of the input's size, white where it may change. Outside, the decoded pixels of the input are kept exactly; the file
    is encoded again, --crf says how finely."""
    feather_px: int = 0
    """Pixels over which the edit fades in from the mask's border inwards."""
    video_guidance_scale: float = 1.5
    """How much it keeps to the video (InstructPix2Pix's value; the paper reports none)."""
    guidance_scale: float | None = None
    """How much it keeps to the instruction; left out, the model's own, InstructPix2Pix's 7.5 where its training said none."""
    num_inference_steps: int | None = None
    window_frames: int | None = None
    """Frames edited at once; longer videos are edited by windows that are merged at every step."""
    overlap_frames: int | None = None
    """Frames that neighbouring windows share; a quarter of a window when left out."""
    width: int | None = None
    """Pixels at which the model works; the bucket nearest to the video's aspect when left out."""
    height: int | None = None
    """Pixels."""
    seed: int = 0
    """Of the noise."""
    crf: int = 18
    """H.264's quality of the output: 0 is nearly lossless, 51 worst."""
    device: str = "auto"
    """cpu, cuda, or auto: cuda where there is one."""
    overwrite: bool = False
    """Make the file again when it lies there already with the same recipe."""
    dry_run: bool = False
    """Say what would be done, load no weights, write nothing."""
    json: bool = False
    """Print one JSON line on stdout instead of the path."""

    def __post_init__(self) -> None:
        wanted = PICTURES if self.video.suffix.lower() in PICTURES else VIDEO_SUFFIXES
        if self.output.suffix.lower() not in wanted:
            raise UsageError(f"--output {self.output}: wanted a name that ends in one of {', '.join(wanted)}")
        if not self.instruction.strip():
            raise UsageError("--instruction is empty: say what to change")
        if not 0 <= self.crf <= 51:
            raise UsageError(f"--crf is {self.crf}, wanted 0..51")
        if self.feather_px < 0 or (self.feather_px and self.mask is None):
            raise UsageError(f"--feather_px is {self.feather_px}: wanted 0 or more, and a --mask with it")
        if self.output.resolve() == self.video.resolve():
            raise UsageError(f"--output {self.output} is the input itself")


def main(argv: Sequence[str]) -> int:
    """Edits and writes; prints the path of the file."""
    config, _ = parse_config(
        EditConfig,
        argv,
        prog="moviegen edit",
        summary="Edits a video as an instruction says, and keeps its sound.",
        examples=(
            'moviegen edit circle.mp4 --instruction "make it green" --model runs/edit/model --output green.mp4',
            'moviegen edit street.mp4 --instruction "remove the car" --task remove --mask car.png --feather-px 8 \\',
            "      --model runs/edit/model --output empty.mp4",
            'moviegen edit photo.png --instruction "in the style of a woodcut" --task style --model runs/edit/model --output cut.png',
        ),
        positionals=("video",),
    )
    run(config)
    return 0


def run(config: EditConfig, host: Host = TERMINAL) -> None:
    """Makes what the config says, or in a dry run says what would be made."""
    check_files(config)
    if config.dry_run:
        plan(config)
    else:
        edit(config, host)


def check_files(config: EditConfig) -> None:
    """Raises UsageError on an input that is not there."""
    if not config.video.is_file():
        raise UsageError(f"edit: no file {config.video}")
    if config.mask is not None and not config.mask.is_file():
        raise UsageError(f"--mask {config.mask}: no such file")
    if not config.model.is_dir():
        raise UsageError(f"--model {config.model}: no such folder; wanted an editing model's, with model_index.json")


def plan(config: EditConfig) -> None:
    """Says what would be done, from the headers alone."""
    from moviegen.pipelines.edit import PIPELINE, working_size
    from moviegen.pipelines.edit_input import describe_input
    from moviegen.pipelines.product import values_of
    from moviegen.pipelines.video import decode_defaults

    defaults = decode_defaults(values_of(config.model, PIPELINE)["defaults"])
    num_frames, width, height, fps = describe_input(config.video)
    at = working_size(width, height, defaults, options_of(settings_of(config)))
    window = config.window_frames or defaults.num_frames
    guidance = defaults.guidance_scale if config.guidance_scale is None else config.guidance_scale
    console().print(
        f"would edit {config.video}: {num_frames or 'unknown'} frames of {width}x{height} at {float(fps):g} fps, by windows of "
        f"{window} frames at {at[0]}x{at[1]}, {config.num_inference_steps or defaults.num_inference_steps} steps, "
        f"guidance {config.video_guidance_scale:g} by the video and {guidance:g} by the instruction; "
        f"would write {config.output}",
        markup=False,
    )


def edit(config: EditConfig, host: Host) -> None:
    """Edits one file, unless it lies there already."""
    from moviegen.pipelines.recipe import is_made, make_recipe, steady, tags_of

    device = choose_device(config.device)
    steady()
    inputs = {"video": config.video} | ({"mask": config.mask} if config.mask else {})
    recipe = make_recipe(
        "edit", settings_of(config), models={"model": config.model}, inputs=inputs, device=device,
        source="compositeWithTrainedAlgorithmicMedia",
    )  # fmt: skip
    tags_of(recipe)  # says so when the instruction is too long
    if not config.overwrite and is_made(config.output, recipe):
        console().print(f"there already: {config.output}", markup=False)
        return
    start = time.monotonic()
    shape = make(recipe, {"model": config.model, **inputs}, config.output, device, host)
    row = {"instruction": config.instruction, "seed": config.seed, "num_frames": shape[0],
           "width": shape[2], "height": shape[1], "seconds": round(time.monotonic() - start, 2)}  # fmt: skip
    host.made(config.output, row, config.json)


_NO_SETTINGS = ("video", "mask", "model", "output", "device", "overwrite", "dry_run", "json")


def settings_of(config: EditConfig) -> dict[str, Any]:
    """What decides the edited file, for its recipe."""
    return {f.name: getattr(config, f.name) for f in fields(config) if f.name not in _NO_SETTINGS}


def options_of(settings: Mapping[str, Any]) -> Any:
    """The pipeline's options in a recipe's settings."""
    from moviegen.pipelines.edit import EditOptions

    return EditOptions(**{f.name: settings[f.name] for f in fields(EditOptions)})


def remake(recipe: "Recipe", places: Mapping[str, Path], output: Path, device: str, host: Host = TERMINAL) -> None:
    """Makes a file of this verb again, for `moviegen reproduce`."""
    make(recipe, places, output, device, host)


def make(
    recipe: "Recipe", places: Mapping[str, Path], output: Path, device: str, host: Host = TERMINAL
) -> Sequence[int]:
    """Writes the edited file; (frames, height, width, 3) of it."""
    from moviegen.pipelines.edit import EditPipeline
    from moviegen.pipelines.edit_input import SAMPLE_RATE, read_input, read_kept_sound
    from moviegen.pipelines.masks import read_mask
    from moviegen.pipelines.recipe import write_image_with, write_video_with

    settings = recipe.settings
    frames, fps = read_input(places["video"])
    mask = read_mask(places["mask"], *frames.shape[:1], *frames.shape[2:0:-1]) if "mask" in places else None
    pipeline = host.load(EditPipeline, places["model"], device)
    try:
        shape = pipeline.plan(frames.shape, fps, options_of(settings))
    except ValueError as error:
        raise UsageError(f"moviegen edit: {error}") from error
    with host.progress(shape.num_inference_steps) as advance:
        edited = pipeline(
            frames, settings["instruction"], fps=fps, mask=mask, feather_px=settings["feather_px"],
            options=options_of(settings), seed=settings["seed"], callback=advance,
        ).frames  # fmt: skip
    if output.suffix.lower() in PICTURES:
        write_image_with(output, edited[0], recipe)
    else:
        sound = {"audio": read_kept_sound(places["video"], len(edited) / fps), "sample_rate": SAMPLE_RATE}
        write_video_with(output, edited, fps, recipe, crf=settings["crf"], **sound)
    return edited.shape
