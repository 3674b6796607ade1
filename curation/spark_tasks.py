"""What Spark's workers run: tasks as text in, results as text out."""

import json
from collections.abc import Iterator, Sequence

from moviegen.errors import UsageError

from .gpus import take_gpu
from .jobs.parts import run_task


def run_batches(texts: list[str], batches: Iterator) -> Iterator:
    """Runs the tasks whose numbers come in Arrow batches. At the top of a module, so that workers keep what they loaded."""
    import pyarrow as pa

    for batch in batches:
        for number in batch.column(0).to_pylist():
            yield pa.RecordBatch.from_pydict({"result": [run_or_refuse(texts[number])]})


def run_or_refuse(text: str) -> str:
    """A task's result text, or what the user has to mend: raised here, Spark would do the task four times and end at the same."""
    try:
        return run_task(text)
    except UsageError as error:
        return json.dumps({REFUSAL: str(error)})


REFUSAL = "usage_error"


def accepted(results: Sequence[str]) -> list[str]:
    """The results as they are. Raises the UsageError that one of them tells of."""
    for text in results:
        if text.startswith("{"):  # a result is a list
            raise UsageError(json.loads(text)[REFUSAL])
    return list(results)


def run_on_gpu(texts: list[str], batches: Iterator) -> Iterator:
    """As `run_batches`, with the GPU that Spark has given the task."""
    take_gpu()
    yield from run_batches(texts, batches)
