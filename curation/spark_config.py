"""How work is spread by Spark."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SparkConfig:
    """How the work is spread. Nothing here changes a result."""

    master: str = "local[*,4]"
    """Spark's master. Plain `local[*]` never retries a task, `local[*,4]` tries it four times."""
    memory: str = "1g"
    """Memory of the driver's JVM; frames and models live in Python's processes, outside of it."""
    tasks_per_core: int = 2
    """Tasks a core gets between two commits: fewer lose less when killed, more spread better."""
    max_inputs_per_task: int = 16
    """Inputs (videos or clips) in a task at most."""
    max_gigapixels_per_task: float = 1.0
    """Pixels a task decodes at most, predicted from duration, size and frame rate: some ten CPU-seconds, so that the last tasks of a run
    keep all cores busy."""
    chunk_s: float = 600.0
    """Seconds of a long source that one task measures: longer ones are cut at key frames and joined again; 0 cuts none."""
    start_above_s: float = 20.0
    """CPU-seconds of work, predicted, up to which a run on this machine alone does without Spark: its start takes eight, which two cores
    win back with twice as much. 0: always Spark."""
    hung_after_s: float = 3600.0
    """Seconds without a word from a Python worker after which it counts as hung: Spark ends it (SIGTERM) and does its task again; 0: never.
    Longer than any task takes: one says nothing until it is done."""
    gpus_per_task: float = 0.0
    """Share of a GPU that a task takes whose detector or captioner says `device: cuda`: 0.5, two share one. Such tasks are a stage of
    their own, and only they wait for a GPU. 0: Spark is not told of GPUs."""
    event_log: bool = True
    """Keep Spark's event log in `_logs/spark-events` of the lake: its history server shows it. A run that starts no Spark writes none."""
    options: dict[str, str] | None = None
    """More of Spark's own settings, `spark.x.y: value`."""

    def __post_init__(self) -> None:
        if self.tasks_per_core < 1 or self.max_inputs_per_task < 1 or self.max_gigapixels_per_task <= 0:
            raise ValueError(
                "spark.tasks_per_core and max_inputs_per_task are at least 1, max_gigapixels_per_task above 0"
            )

        if self.gpus_per_task < 0 or (self.gpus_per_task > 1 and self.gpus_per_task % 1):
            raise ValueError(f"spark.gpus_per_task is {self.gpus_per_task}, wanted 0..1, or a whole number")
        if self.gpus_per_task and self.is_local:
            raise ValueError(
                f"spark.gpus_per_task needs a cluster, and spark.master is {self.master}, which knows no GPUs; start one here: "
                "python -m curation.cluster --gpus 1 --workers 1"
            )

    @property
    def is_local(self) -> bool:
        """Whether the work is done by processes of this machine alone."""
        return self.master.startswith("local") and not self.master.startswith("local-cluster")

    def is_worth_starting(self, seconds: float) -> bool:
        """Whether so many CPU-seconds of work are worth a session; a cluster always is."""
        return seconds > self.start_above_s or not self.is_local
