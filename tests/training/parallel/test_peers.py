"""A rank whose peer was killed says which one."""

import os
import signal
from types import SimpleNamespace

import pytest

from moviegen.testing.ranks import run_ranks
from training.parallel.peers import Peers, is_of_communication


def left_alone(rank: int) -> str:
    """What rank 0 says when rank 1 is killed."""
    import torch
    import torch.distributed as dist

    from training.parallel.peers import PeerError

    dist.init_process_group("gloo")
    peers = Peers()
    peers.setup(SimpleNamespace(world_size=2, global_rank=rank), None, "fit")
    if rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    try:
        with peers.named():
            dist.all_reduce(torch.ones(1))
    except PeerError as error:
        dist.destroy_process_group()
        return str(error)
    return "nothing"


def test_a_rank_that_is_left_alone_names_the_one_that_was_killed():
    said = run_ranks(2, left_alone, killed=[1])[0]
    assert said.startswith("rank 0 of 2: rank 1 (process ")
    assert "The same command goes on" in said


def test_another_error_is_left_as_it_is():
    peers = Peers()
    peers._processes = [("here", 1)]
    with pytest.raises(RuntimeError, match="of another kind"), peers.named():
        raise RuntimeError("of another kind")
    assert not is_of_communication(RuntimeError("of another kind"))
