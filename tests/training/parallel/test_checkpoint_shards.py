"""The parts of a checkpoint of many ranks: trees, tensor files, indices; nothing in it is unpickled."""

import json
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from training.checkpoint import (
    SHARDS_FILE,
    STATE_FILE,
    SUMS_FILE,
    CheckpointError,
    check_checkpoint,
    load_state,
    write_state,
)
from training.parallel.pieces import Piece, Stored, decode_shards, encode_shards, shard_name
from training.parallel.tensor_file import DTYPES, TensorSpec, in_file_order, spec_of, write_tensors
from training.parallel.tree import join_tensors, marks, split_tensors

shapes = st.lists(st.integers(0, 4), max_size=3).map(tuple)
tensors = st.dictionaries(
    st.text("abcé._0/", min_size=1, max_size=6), st.tuples(st.sampled_from(list(DTYPES)), shapes), max_size=8
)


@settings(max_examples=60, deadline=None)
@given(tensors)
def test_a_file_written_tensor_by_tensor_has_the_library_s_bytes(tmp_path_factory, specs):
    folder = tmp_path_factory.mktemp("file")
    state = {name: (torch.rand(shape) * 9).to(dtype) for name, (dtype, shape) in specs.items()}
    save_file(state, folder / "theirs")
    heads = {name: spec_of(tensor) for name, tensor in state.items()}
    write_tensors(folder / "ours", heads, [state[name] for name in in_file_order(heads)])
    assert (folder / "ours").read_bytes() == (folder / "theirs").read_bytes()


def test_a_tensor_that_is_not_what_the_head_says_is_refused(tmp_path):
    with pytest.raises(ValueError, match="the head of"):
        write_tensors(tmp_path / "x", {"a": TensorSpec(torch.float32, (2,))}, [torch.zeros(3)])


def test_a_state_is_taken_apart_and_put_together():
    state = {
        "state_dict": {"a.b": torch.ones(2)},
        "optimizer_states": [{"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"betas": (0.9, 0.95)}]}],
        "loops": {"n": 3, "none": None},
    }
    rest, taken = split_tensors(state)
    assert sorted(taken) == ["optimizer_states/0/state/0/step", "state_dict/a.b"]
    assert marks(rest)["optimizer_states/0/state/0/step"] == ("optimizer_states", 0, "state", 0, "step")
    joined = join_tensors(rest, taken)
    assert joined["state_dict"]["a.b"] is state["state_dict"]["a.b"]
    assert joined["optimizer_states"][0]["param_groups"] == [{"betas": (0.9, 0.95)}]
    assert joined["loops"] == state["loops"]


def test_two_paths_of_one_name_are_refused():
    with pytest.raises(ValueError, match="a/b"):
        split_tensors({"a/b": torch.ones(1), "a": {"b": torch.ones(1)}})


def test_an_index_round_trip():
    index = {"w": Stored(TensorSpec(torch.bfloat16, (4, 2)), (Piece((0, 0), (2, 2), "a"), Piece((2, 0), (2, 2), "b")))}
    assert decode_shards(encode_shards(index)) == index


@pytest.mark.parametrize("text", ["[]", "{}", '{"format": 1}', '{"format": 1, "tensors": {"w": {}}}', "nothing"])
def test_what_is_no_index_is_refused(text):
    with pytest.raises(ValueError, match=r"format|index|Expecting"):
        decode_shards(text)


def test_an_index_that_names_a_file_elsewhere_is_refused():
    index = {"w": Stored(TensorSpec(torch.float32, (1,)), (Piece((0,), (1,), "../../secret"),))}
    with pytest.raises(ValueError, match="same folder"):
        decode_shards(encode_shards(index))


def write_checkpoint(folder, tensor):
    """A checkpoint of two pieces, by hand."""
    folder.mkdir()
    rest, taken = split_tensors({"state_dict": {"w": tensor}, "global_step": 7})
    [(name, whole)] = taken.items()
    half = len(whole) // 2
    pieces, sums = [], {}
    for rank, (start, part) in enumerate(((0, whole[:half]), (half, whole[half:]))):
        pieces.append(Piece((start, 0), tuple(part.shape), shard_name(rank)))
        key = pieces[-1].key(name)
        sums[shard_name(rank)] = write_tensors(folder / shard_name(rank), {key: spec_of(part)}, [part])
    (folder / SHARDS_FILE).write_text(encode_shards({name: Stored(spec_of(whole), tuple(pieces))}))
    from moviegen.contracts.clip import file_sha256

    write_state(rest, folder, {**sums, SHARDS_FILE: file_sha256(folder / SHARDS_FILE)})
    return folder


def test_pieces_are_put_together_on_one_process(tmp_path):
    whole = torch.arange(12.0).reshape(4, 3)
    state = load_state(write_checkpoint(tmp_path / "step-00000007.ckpt", whole))
    assert torch.equal(state["state_dict"]["w"], whole)
    assert state["global_step"] == 7


@pytest.mark.parametrize("name", [shard_name(1), SHARDS_FILE, STATE_FILE])
def test_a_flipped_byte_in_any_file_is_noticed(tmp_path, name):
    path = write_checkpoint(tmp_path / "step-00000007.ckpt", torch.ones(4, 3))
    content = bytearray((path / name).read_bytes())
    content[-3] ^= 1
    (path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match="sha256"):
        check_checkpoint(path)


class Canary:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("name", [SHARDS_FILE, shard_name(0), STATE_FILE, ".metadata"])
def test_a_foreign_pickle_runs_nothing(tmp_path, name):
    """Even when whoever put it there has set the sums right."""
    from moviegen.contracts.clip import file_sha256

    path, canary = write_checkpoint(tmp_path / "step-00000007.ckpt", torch.ones(4, 3)), tmp_path / "canary"
    (path / name).write_bytes(pickle.dumps(Canary(canary)))
    sums = json.loads((path / SUMS_FILE).read_text())
    (path / SUMS_FILE).write_text(json.dumps({**sums, name: file_sha256(path / name)}))
    if name == ".metadata":  # DCP's own index: never looked at
        load_state(path)
    else:
        with pytest.raises(Exception, match=r".+"):
            load_state(path)
    assert not canary.exists()


def test_what_safetensors_reads_is_what_was_written(tmp_path):
    path = write_checkpoint(tmp_path / "step-00000007.ckpt", torch.arange(8.0).reshape(4, 2))
    assert load_file(path / shard_name(1))["state_dict/w@2,0"].tolist() == [[4.0, 5.0], [6.0, 7.0]]
