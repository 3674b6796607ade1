"""Ranks on this machine, for tests and benchmarks: processes forked from a server that has imported what they need and run nothing."""

import multiprocessing
import os
import signal
import socket
import traceback
from collections.abc import Callable, Sequence
from typing import Any

TIMEOUT_S = 600
"""A rank that has not answered by then is killed."""

STAGE = (
    "training.fit", "training.parallel.strategy", "training.data.datamodule", "training.modules.video_dit", "training.modules.tae",
    "training.plan.trace", "torch.utils.tensorboard", "matplotlib.backends.backend_agg", "pyarrow.parquet", "av", "pandas", "omegaconf",
    "s3fs",
)  # fmt: skip
"""What a stage imports, some of it in passing; those that are not installed are left out."""


def run_ranks(
    world_size: int, function: Callable, *args: Any, imports: Sequence[str] = STAGE, killed: Sequence[int] = ()
) -> list[Any]:
    """What `function(rank, *args)` gives on each rank. Ranks in `killed` are to die by SIGKILL; the others' faults are theirs then.

    Raises AssertionError with what ranks raised. `imports` are modules that the first call in a process has the server import, for all
    that come after: what it lacks every rank imports for itself, a stage's in ten seconds.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(imports))
    port = _free_port()
    pipes = [context.Pipe(duplex=False) for _ in range(world_size)]
    ranks = [
        context.Process(target=_rank, args=(rank, world_size, port, pipes[rank][1], function, args), daemon=True)
        for rank in range(world_size)
    ]
    for process in ranks:
        process.start()
    for _, there in pipes:
        there.close()
    results, faults = [], []
    for rank, (here, _) in enumerate(pipes):
        is_there = here.poll(TIMEOUT_S)
        try:
            ok, value = here.recv() if is_there else (False, "no answer in time")
        except EOFError:
            ok, value = False, "died"
        results.append(value)
        if not ok and not killed:
            faults.append(f"rank {rank}: {value}")
    for process in ranks:
        process.join(10 if not faults else 0.1)
        if process.is_alive():
            process.kill()
            process.join()
    if faults:
        raise AssertionError("\n".join(faults))
    for rank in killed:
        assert ranks[rank].exitcode == -signal.SIGKILL, f"rank {rank} ended with {ranks[rank].exitcode}"
    return results


def _rank(rank: int, world_size: int, port: int, pipe: Any, function: Callable, args: tuple) -> None:
    environment = {
        "LOCAL_RANK": rank, "RANK": rank, "NODE_RANK": 0, "WORLD_SIZE": world_size, "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
    }  # fmt: skip
    os.environ.update({name: str(value) for name, value in environment.items()})
    import torch

    torch.set_num_threads(1)
    try:
        answer = (True, function(rank, *args))
    except BaseException:
        answer = (False, traceback.format_exc())
    pipe.send(answer)
    pipe.close()
    if torch.distributed.is_initialized() and answer[0]:
        torch.distributed.barrier()
    os._exit(0)


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]
