"""The promise that `benchmarks/camera_moves.py` is judged by, on answers that are known."""

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "camera_moves.py"


@pytest.fixture(scope="module")
def moves():
    spec = importlib.util.spec_from_file_location("camera_moves_benchmark", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where a dataclass looks for its types
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def answers(moves, **counts):
    """`right` and `wrong` answers that are sure, `unsure` wrong ones that are not."""
    made = {"right": ("arc", 0.9), "wrong": ("static", 0.7), "unsure": ("static", 0.69)}
    return [moves.Answer("arc", *made[kind]) for kind, count in counts.items() for _ in range(count)]


def test_the_confidence_is_the_one_that_the_configuration_ships(moves):
    text = (SCRIPT.parents[1] / "configs" / "curation" / "paper.yaml").read_text()
    assert f"camera_min_confidence: {moves.shipped_confidence()} " in text


@pytest.mark.parametrize(
    ("counts", "kept"),
    [
        ({"right": 92, "wrong": 8}, True),
        ({"right": 91, "wrong": 9}, False),  # nine prefixes of a hundred are wrong
        ({"right": 92, "wrong": 1, "unsure": 7}, True),  # what is not sure gets no prefix
        ({"right": 80, "unsure": 20}, False),  # and counts for how many are right
    ],
)
def test_a_promise_is_kept_or_not(moves, counts, kept):
    assert moves.is_kept(answers(moves, **counts), 0.7) is kept


def test_no_answers_keep_no_promise(moves):
    assert not moves.is_kept([], 0.7)
