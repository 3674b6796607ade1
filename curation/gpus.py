"""GPUs on a cluster: which tasks want one, what Spark is told, and which one a task has been given.

Spark schedules by resource profiles: a stage whose tasks want a GPU runs only as many at once as there are GPUs, wherever they are;
other stages do not notice. An executor has one GPU, because a process that has used one cannot change to another.
"""

import os
from typing import TYPE_CHECKING

from .jobs.parts import Task

if TYPE_CHECKING:
    from pyspark.resource import ResourceProfile

VISIBLE = "CUDA_VISIBLE_DEVICES"


def wants_gpu(task: Task) -> bool:
    """Whether the detector or captioner of a task was told `device: cuda`."""
    params = task.operation.params.get("params")
    return isinstance(params, dict) and str(params.get("device", "")).startswith("cuda")


def gpu_settings(gpus_per_task: float) -> dict[str, str]:
    """Spark's settings for a session: one GPU an executor, or as many as a task wants. On YARN and Kubernetes the executors look for
    theirs with `spark.executor.resource.gpu.discoveryScript` (`tools/find_gpus.py`); a standalone worker has found them already."""
    return {"spark.executor.resource.gpu.amount": str(max(1, round(gpus_per_task)))} if gpus_per_task else {}


def gpu_profile(gpus_per_task: float) -> "ResourceProfile":
    """The profile of a stage whose tasks want a GPU. It asks for tasks' needs only, so the executors that are there serve it."""
    from pyspark.resource import ResourceProfileBuilder, TaskResourceRequests

    return ResourceProfileBuilder().require(TaskResourceRequests().cpus(1).resource("gpu", gpus_per_task)).build


def take_gpu() -> list[str]:
    """The addresses of the GPUs that Spark has given this task; from now on CUDA sees no other. Raises RuntimeError in a process that has
    used another."""
    from pyspark import TaskContext

    context = TaskContext.get()
    assert context is not None, "this runs in a task"
    given = context.resources()["gpu"].addresses
    taken = _taken.setdefault(os.getpid(), given)
    if taken != given:
        raise RuntimeError(
            f"this worker has used GPU {taken}, and a process cannot change to {given}; give an executor one GPU: "
            "spark.executor.resource.gpu.amount 1"
        )
    os.environ[VISIBLE] = ",".join(given)
    return given


_taken: dict[int, list[str]] = {}
