"""What the events of an asset tell a run together. Knows nothing of Airflow."""

from collections.abc import Mapping, Sequence

FROM_EVENT = ("batches", "lake", "config", "subset", "master")
"""What an event of new shards tells its consumers."""

SAME = ("lake", "config", "subset")
"""What a run has one of."""


def merged(extras: Sequence[Mapping], own: Sequence[str] = ()) -> dict:
    """The batches of all events, and the rest as the last one has it, but for the `own` names. Airflow hands a run every event
    since the last run. Raises ValueError where events tell of several lakes, configs or subsets, or of two folders for one batch.
    """
    told = {name: extra[name] for extra in extras for name in FROM_EVENT if name in extra and name not in own}
    for name in SAME:
        if name in told and len(values := sorted({str(extra[name]) for extra in extras if name in extra})) > 1:
            raise ValueError(f"the events tell of more than one {name}: {', '.join(values)}; {_BY_HAND}")
    folders: dict[str, set[str]] = {}
    for extra in extras if "batches" in told else ():
        for batch, folder in extra.get("batches", {}).items():
            folders.setdefault(batch, set()).add(folder)
    for batch, found in folders.items():
        if len(found) > 1:
            names = ", ".join(sorted(found))
            raise ValueError(f"the events tell of more than one folder of batch {batch}: {names}; {_BY_HAND}")
    if "batches" in told:
        told["batches"] = {batch: folder for batch, [folder] in folders.items()}
    return told


_BY_HAND = "trigger the DAG once for each, with the form"
