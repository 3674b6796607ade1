"""Lineage: an OpenLineage event at the start and the end of each job, appended to the file that MOVIEGEN_LINEAGE names.

By the official client, to a file: nothing leaves the machine. https://openlineage.io/spec describes the events.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from moviegen import __version__
from moviegen.contracts.store import url_of
from moviegen.disk import writing_below
from moviegen.errors import UsageError

VARIABLE = "MOVIEGEN_LINEAGE"
NAMESPACE = "moviegen"
PRODUCER = f"https://pypi.org/project/moviegen/{__version__}"


@dataclass(frozen=True)
class Data:
    """A table, a folder or a file, by where it lies: a path, or an `s3://` url."""

    place: str
    columns: tuple[tuple[str, str, str], ...] = ()
    """(name, type, meaning) of a table's columns."""
    num_rows: int | None = None
    size_bytes: int | None = None

    @property
    def name(self) -> tuple[str, str]:
        """(namespace, name), as OpenLineage's naming has it."""
        url = url_of(self.place)
        if url is None:
            return "file", str(Path(self.place).absolute())
        scheme, _, rest = url.partition("://")
        bucket, _, key = rest.partition("/")
        return f"{scheme}://{bucket}", key


@contextmanager
def traced(
    job: str, inputs: Callable[[], Sequence[Data]], outputs: Callable[[], Sequence[Data]]
) -> Iterator[Callable[[], None]]:
    """Tells of what is done inside: that it began, with the inputs as they are then, and that it ended, with the outputs as they are
    then, or failed, and with what; what it yields is called where a signal has stopped it. Does nothing, and asks for nothing, when nobody
    asked. Raises UsageError where the client lacks, DiskError when the file cannot be written."""
    place = os.environ.get(VARIABLE)
    stopped: list[bool] = []
    if not place:
        yield lambda: None
        return
    emit = _emitter(Path(place), job)
    taken = inputs()
    emit("START", taken, ())
    try:
        yield lambda: stopped.append(True)
    except BaseException as error:
        emit("ABORT" if not isinstance(error, Exception) else "FAIL", taken, (), error)
        raise
    emit("ABORT" if stopped else "COMPLETE", taken, () if stopped else outputs())


def _emitter(path: Path, job: str) -> Callable:
    try:
        from openlineage.client import OpenLineageClient, event_v2
        from openlineage.client.transport.file import FileConfig, FileTransport
        from openlineage.client.uuid import generate_new_uuid
    except ModuleNotFoundError as error:
        raise UsageError(f"{VARIABLE} needs the package openlineage-python: pip install 'moviegen[lineage]'") from error
    with writing_below(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    client = OpenLineageClient(transport=FileTransport(FileConfig(log_file_path=str(path), append=True)))
    run_id = str(generate_new_uuid())

    def emit(state: str, inputs: Sequence[Data], outputs: Sequence[Data], error: BaseException | None = None) -> None:
        event = event_v2.RunEvent(
            eventTime=datetime.now(UTC).isoformat(),
            eventType=event_v2.RunState[state],
            run=event_v2.Run(runId=run_id, facets=_run_facets(error)),
            job=event_v2.Job(namespace=NAMESPACE, name=job, facets=_job_facets()),
            inputs=[event_v2.InputDataset(*data.name, facets=_facets(data)) for data in inputs],
            outputs=[
                event_v2.OutputDataset(*data.name, facets=_facets(data), outputFacets=_counts(data)) for data in outputs
            ],
            producer=PRODUCER,
        )
        with writing_below(path.parent):
            client.emit(event)

    return emit


def _run_facets(error: BaseException | None) -> dict:
    from openlineage.client.facet_v2 import error_message_run, processing_engine_run

    engine = processing_engine_run.ProcessingEngineRunFacet(version=__version__, name="moviegen")
    facets: dict = {"processing_engine": engine}
    if error is not None:
        text = str(error) or type(error).__name__
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(message=text, programmingLanguage="python")
    return facets


def _job_facets() -> dict:
    from openlineage.client.facet_v2 import job_type_job

    return {"jobType": job_type_job.JobTypeJobFacet(processingType="BATCH", integration="MOVIEGEN", jobType="JOB")}


def _facets(data: Data) -> dict:
    from openlineage.client.facet_v2 import schema_dataset

    if not data.columns:
        return {}
    fields = [schema_dataset.SchemaDatasetFacetFields(name, kind, meaning) for name, kind, meaning in data.columns]
    return {"schema": schema_dataset.SchemaDatasetFacet(fields=fields)}


def _counts(data: Data) -> dict:
    from openlineage.client.facet_v2 import output_statistics_output_dataset

    if data.num_rows is None and data.size_bytes is None:
        return {}
    counts = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
        rowCount=data.num_rows, size=data.size_bytes
    )
    return {"outputStatistics": counts}
