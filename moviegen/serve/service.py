"""What happens when a button of the page is pressed: jobs of the same commands, with models that stay loaded. Knows no page."""

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from moviegen.errors import UsageError
from moviegen.media.worker import DecodeWorker
from moviegen.pipelines.host import Host
from moviegen.pipelines.jobs import file_stem
from moviegen.serve.forms import FormField, form_fields, make_config
from moviegen.serve.gallery import find_made, read_made
from moviegen.serve.jobs import Job, JobQueue
from moviegen.serve.pool import ModelPool
from moviegen.serve.products import PRODUCTS, Product
from moviegen.serve.uploads import PICTURE_SUFFIXES, UploadLimits

MOST = {
    "num_videos_per_prompt": 64,
    "num_outputs": 64,
    "best_of": 64,
    "num_inference_steps": 10_000,
    "sound_inference_steps": 10_000,
}
"""Largest numbers that a page may ask for (our decision)."""

LOOK_S = 30.0
"""Seconds that looking at an upload, or reading a recipe, may take: somebody waits before the page (our decision)."""


class Service:
    """The models, the queue, and the folder of what is made."""

    def __init__(
        self,
        models: Mapping[str, Path],
        output: Path,
        device: str,
        limits: UploadLimits,
        queue: JobQueue,
        pool: ModelPool,
    ) -> None:
        self.models, self.output, self.device, self.limits = dict(models), output, device, limits
        self.queue, self.pool = queue, pool
        self.checker, self.looker = (
            DecodeWorker(LOOK_S),
            DecodeWorker(LOOK_S),
        )  # of uploads and the gallery; each job has its own
        self.forms: dict[str, list[FormField]] = {
            product.name: form_fields(product, models) for product in PRODUCTS if product.flag in models
        }
        self._num_threads = _num_threads()
        self._names, self._last = threading.Lock(), 0

    def start(self, product: Product, values: Mapping[str, Any], inputs: Mapping[str, Path | None]) -> Job:
        """Queues what a form asks for. Raises UsageError in the command's own words before anything is queued."""
        others = {name: self.models[flag] for name, flag in product.other_models.items() if values.get(name)}
        filled = {name: value for name, value in values.items() if name not in product.other_models}
        form = [field for field in self.forms[product.name] if field.name not in product.other_models]
        config = make_config(
            product, form, filled, inputs, model=self.models[product.flag], device=self.device,
            output=self.new_path(product, filled, inputs), **others,
        )  # fmt: skip
        check_numbers(config)
        models = [self.models[product.flag], *others.values()]

        def work(job: Job) -> str:
            for each in one_by_one(config):
                job.check()
                product.run(each, self._host(job))
            return ""

        return self.queue.submit(f"{product.title}: {_words(filled, inputs)}", _keys(models), work)

    def reproduce(self, name: str) -> Job:
        """Queues making a file of the gallery again. Raises UsageError when it is not there or has no recipe."""
        from moviegen.pipelines.reproduce import find_places, reproduce

        path = find_made(self.output, name)
        if path is None:
            raise UsageError(f"{name} is not there any more")
        recipe = read_made(path, self.looker)
        if isinstance(recipe, str):
            raise UsageError(recipe)
        places = find_places(recipe, {})
        again = path.with_name(f"{path.stem}.again{path.suffix}")

        def work(job: Job) -> str:
            done = reproduce(path, again, places, self._host(job))
            job.made.append(again)
            if done.is_same:
                return f"The same bytes as {name}."
            causes = "; ".join(done.differences) or "nothing that the recipe records"
            return f"Not the same bytes as {name}. What is not as it was then: {causes}."

        return self.queue.submit(f"Reproduce: {name}", _keys([places[each] for each in recipe.weights]), work)

    def new_path(self, product: Product, values: Mapping[str, Any], inputs: Mapping[str, Path | None]) -> Path:
        """A name in the output folder that no other file has: the next number, and the first words."""
        suffix = product.suffix
        video = inputs.get("video")
        if product.name == "soundtrack" and video is None:
            suffix = ".wav"
        elif product.name == "edit" and video is not None and video.suffix.lower() in PICTURE_SUFFIXES:
            suffix = ".png"
        with self._names:
            names = [path.name for path in self.output.iterdir()] if self.output.is_dir() else []
            numbers = [int(found[1]) for name in names if (found := re.match(r"(\d{4,})_", name))]
            self._last = max([self._last, *numbers]) + 1
        return self.output / f"{self._last:04d}_{file_stem(_words(values, inputs))}{suffix}"

    def close(self) -> None:
        """Ends the jobs and the decode workers."""
        self.queue.close()
        self.checker.close()
        self.looker.close()

    def _host(self, job: Job) -> Host:
        import torch

        torch.set_num_threads(self._num_threads)  # counted by thread: what `reproduce` sets for a job is its own
        return Host(job.progress, self.pool.load, job.take)


def check_numbers(config: Any) -> None:
    """Raises UsageError on a job of more files or steps than a page may ask for: one typing error must not stop everybody."""
    for name, most in MOST.items():
        number = getattr(config, name, None)
        if number is not None and number > most:
            raise UsageError(
                f"--{name} is {number}, the page makes at most {most} a job; the command has no such limit"
            )


def one_by_one(config: Any) -> Sequence[Any]:
    """A config for each file: those of several outputs of one film would go into a folder of their own."""
    number = getattr(config, "num_outputs", 1)
    if number < 1:
        raise UsageError(f"--num_outputs is {number}, wanted at least 1")
    if number == 1:
        return [config]
    name = config.output.stem
    return [
        replace(config, seed=seed, num_outputs=1, output=config.output.with_stem(f"{name}_seed{seed}"))
        for seed in range(config.seed, config.seed + number)
    ]


def _words(values: Mapping[str, Any], inputs: Mapping[str, Path | None]) -> str:
    texts = [values.get(name) for name in ("instruction", "prompt", "music")]
    texts += [re.sub(r"^\d{4,}_", "", path.stem) for path in inputs.values() if path is not None]
    return next((str(text) for text in texts if text), "")


def _keys(models: Sequence[Path]) -> list[str]:
    return [str(Path(model).resolve()) for model in models]


def _num_threads() -> int:
    import torch

    return torch.get_num_threads()
