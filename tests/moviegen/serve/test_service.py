"""What buttons do: the same bytes as the command, several seeds, reproduction, uploads that are looked at, models that stay loaded."""

import numpy as np
import pytest

from moviegen.cli import main
from moviegen.errors import MovieGenError, UsageError
from moviegen.media.worker import DecodeWorker, guarded_call
from moviegen.media.write import write_image, write_video
from moviegen.pipelines.recipe import read_recipe
from moviegen.pipelines.video import VideoPipeline
from moviegen.serve.gallery import find_made, list_made, read_made, recipe_rows
from moviegen.serve.jobs import JobQueue
from moviegen.serve.markup import kept_input
from moviegen.serve.pool import ModelPool
from moviegen.serve.products import EITHER, PICTURE, VIDEO, product_of
from moviegen.serve.service import Service
from moviegen.serve.uploads import INPUTS, UploadLimits, take_upload
from moviegen.testing.tiny_products import tiny_editor, tiny_personalizer, tiny_t2v

QUICK = {"prompt": "a red circle", "num_inference_steps": "1", "num_frames": "3"}


def finished(service, job):
    with service.queue._turn:
        assert service.queue._turn.wait_for(lambda: not job.is_open, 60)
    assert job.state == "done", job.message
    return job


def start(service, name, inputs=None, **values):
    product = product_of(name)
    filled = {field.name: field.default for field in service.forms[name]} | values
    return finished(service, service.start(product, filled, inputs or {}))


def test_a_tab_makes_what_the_command_makes(service, tmp_path):
    (made,) = start(service, "video", **QUICK).made
    assert made.name == "0001_a_red_circle.mp4"
    words = ["--prompt", "a red circle", "--num-inference-steps", "1", "--num-frames", "3"]
    command = ["generate", "--model", str(service.models["model"]), *words, "--output", str(tmp_path / "cli.mp4")]
    assert main(command) == 0
    assert made.read_bytes() == (tmp_path / "cli.mp4").read_bytes()


def test_a_film_goes_from_tab_to_tab_and_every_file_is_made_again(service):
    two = start(service, "video", **QUICK, num_videos_per_prompt=2).made
    assert [path.name for path in two] == ["0001_a_red_circle_seed0.mp4", "0001_a_red_circle_seed1.mp4"]
    large = start(service, "upsample", {"video": two[0]}, num_inference_steps=1, num_outputs=2).made
    assert [path.name for path in large] == ["0002_a_red_circle_seed0_seed0.mp4", "0002_a_red_circle_seed0_seed1.mp4"]
    loud = start(service, "soundtrack", {"video": large[1]}, prompt="rain", num_inference_steps=1).made[0]
    alone = start(service, "soundtrack", {}, prompt="rain", duration_s="0.5", num_inference_steps=1).made[0]
    assert (loud.suffix, alone.suffix) == (".mp4", ".wav")
    still = start(service, "image", prompt="a", num_inference_steps="1").made[0]
    sounding = start(service, "video", **QUICK, soundtrack=True, sound_inference_steps=1).made[0]
    assert set(read_recipe(sounding).weights) == {"model", "soundtrack"}
    names = [made.name for made in list_made(service.output)]
    assert set(names) == {path.name for path in (*two, *large, loud, alone, still, sounding)}
    for path in (large[1], alone, still, sounding):
        job = finished(service, service.reproduce(path.name))
        assert job.message == f"The same bytes as {path.name}."
        assert job.made[0].read_bytes() == path.read_bytes()


def test_what_cannot_be_made_is_said_before_it_waits(service):
    for name, values, words in (
        ("video", {"prompt": ""}, "give either --prompt"),
        ("video", {"prompt": "a", "best_of": 2}, "--best_of N and --score NAME go together"),
        ("video", {"prompt": "a", "width": "x"}, "Width is 'x'"),
        ("video", {"prompt": "a", "num_videos_per_prompt": 10**9}, "the page makes at most 64 a job"),
        ("upsample", {}, "Choose a file first: video"),
    ):
        product = product_of(name)
        with pytest.raises(UsageError, match=words):
            service.start(product, {f.name: f.default for f in service.forms[name]} | values, {})
    assert service.queue.jobs() == []
    with pytest.raises(UsageError, match="not there any more"):
        service.reproduce("../secret.mp4")


def test_the_gallery_shows_media_and_their_recipes_alone(service):
    out = service.output
    made = start(service, "image", prompt="<b>a</b>", num_inference_steps="1").made[0]
    write_image(out / "own.png", np.zeros((8, 8, 3), np.uint8))
    (out / "notes.txt").write_text("x")
    (out / ".hidden.png").write_bytes(b"x")
    (out / "link.png").symlink_to(out / "own.png")
    assert [each.name for each in list_made(out)] == ["own.png", made.name]
    assert find_made(out, "notes.txt") is None
    assert ("Prompt", "<b>a</b>") in recipe_rows(read_made(made, service.looker))
    assert (
        read_made(out / "own.png", service.looker)
        == "own.png: no recipe in it and no own.png.json beside it; wanted a file that moviegen made"
    )


def test_an_output_folder_may_have_the_name_of_the_uploads(tmp_path):
    out = tmp_path / INPUTS
    (out / INPUTS).mkdir(parents=True)
    for path in (out / "a.png", out / INPUTS / "b.png"):
        write_image(path, np.zeros((8, 8, 3), np.uint8))
    assert "/files/a.png" in kept_input(out / "a.png", out)
    assert "/inputs/b.png" in kept_input(out / INPUTS / "b.png", out)


def test_uploads_are_looked_at_and_kept_by_content(tmp_path):
    limits = UploadLimits(max_mb=1, max_s=2)
    frames = [np.full((16, 16, 3), 9 * i, np.uint8) for i in range(12)]
    film, picture = tmp_path / "film.mp4", tmp_path / "a.png"
    write_video(film, frames, 4)
    write_image(picture, frames[3])
    (tmp_path / "fake.mp4").write_bytes(picture.read_bytes())
    (tmp_path / "page.html").write_text("<script>")
    (tmp_path / "large.png").write_bytes(b"x" * 1_100_000)
    worker = DecodeWorker()
    kept = take_upload(picture, PICTURE, tmp_path / "out", limits, worker)
    assert take_upload(picture, EITHER, tmp_path / "out", limits, worker) == kept
    assert kept.read_bytes() == picture.read_bytes()
    for name, kind, words in (
        ("film.mp4", VIDEO, "lasts 3 s, limit 2 s"),
        ("fake.mp4", VIDEO, "fake.mp4"),
        ("page.html", EITHER, "wanted a video or picture"),
        ("film.mp4", PICTURE, "wanted a picture"),
        ("large.png", PICTURE, "is 1 MB, the limit is 1 MB"),
    ):
        with pytest.raises(MovieGenError, match=words):
            take_upload(tmp_path / name, kind, tmp_path / "out", limits, worker)
    assert list((tmp_path / "out" / "inputs").iterdir()) == [kept]
    worker.close()


def test_an_upload_that_hangs_keeps_nobody_waiting(service):
    made = start(service, "image", prompt="a", num_inference_steps="1").made[0]
    with service.checker._lock:  # as while its child is busy
        assert recipe_rows(read_made(made, service.looker))
        jobs = [service.queue.submit("decode", [], lambda job: str(guarded_call("os.getpid"))) for _ in range(2)]
        pids = {finished(service, job).message for job in jobs}
    assert len(pids | {str(service.looker.pid), str(guarded_call("os.getpid"))}) == 4


def test_models_stay_loaded_until_there_are_too_many_or_their_files_change(tmp_path):
    for name in "ab":
        tiny_t2v().save_pretrained(tmp_path / name)
    pool = ModelPool(1)
    first = pool.load(VideoPipeline, tmp_path / "a", "cpu")
    assert pool.load(VideoPipeline, tmp_path / "a", "cpu") is first
    pool.load(VideoPipeline, tmp_path / "b", "cpu")
    second = pool.load(VideoPipeline, tmp_path / "a", "cpu")
    assert second is not first
    tiny_t2v(seed=1).save_pretrained(tmp_path / "a")
    assert pool.load(VideoPipeline, tmp_path / "a", "cpu") is not second


def test_pictures_are_edited_and_people_shown(tmp_path):
    tiny_editor().save_pretrained(tmp_path / "edit")
    tiny_personalizer().save_pretrained(tmp_path / "personal")
    models = {"edit_model": tmp_path / "edit", "personal_model": tmp_path / "personal"}
    service = Service(models, tmp_path / "out", "cpu", UploadLimits(), JobQueue(), ModelPool(2))
    assert set(service.forms) == {"edit", "personalize"}
    tasks = next(field for field in service.forms["edit"] if field.name == "task")
    assert (tasks.choices, tasks.default) == (("local", "remove"), "local")
    rng = np.random.default_rng(0)
    write_image(tmp_path / "a.png", rng.integers(0, 255, (32, 32, 3), np.uint8))
    picture = take_upload(tmp_path / "a.png", EITHER, service.output, service.limits, service.checker)
    edited = start(service, "edit", {"video": picture, "mask": None}, instruction="make it green").made[0]
    shown = start(service, "personalize", {"face": picture}, prompt="a man", finder="none", segmentation="none").made[0]
    assert (edited.name, shown.name) == ("0001_make_it_green.png", "0002_a_man.mp4")
    for path in (edited, shown):
        assert finished(service, service.reproduce(path.name)).message == f"The same bytes as {path.name}."
