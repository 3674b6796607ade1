"""The stage and the drives: perspective as it must be, written down in points."""

from itertools import pairwise

import numpy as np
import pytest

from moviegen.testing.camera_drive import MOVES, CameraPose, Drive, drive_poses
from moviegen.testing.camera_stage import FPS, SIZE, SUBJECT_M, film

DIAGONAL = float(np.hypot(*SIZE))
FAR, SUBJECT, NEAR = (0.0, 0.0, 8.0), (0.0, 0.0, SUBJECT_M), (0.0, 0.0, 2.0)


def poses_of(move: str, speed: float = 0.1, unrest: float = 0.0, depth: float = SUBJECT_M) -> list[CameraPose]:
    start, rng = CameraPose(np.zeros(3)), np.random.default_rng(0)
    return drive_poses(Drive(move, speed, unrest), start, depth, SUBJECT_M, 49, float(FPS), SIZE, rng)


def walk(poses: list[CameraPose], point: tuple[float, float, float]) -> np.ndarray:
    """(2,) how far a point of the stage moves in the picture from the first pose to the last, pixels."""
    ends = []
    for pose in (poses[0], poses[-1]):
        x, y, metres = pose.projection(SIZE) @ (np.array(point) - pose.place)
        ends.append(np.array([x, y]) / metres)
    return ends[1] - ends[0]


@pytest.mark.parametrize(
    ("move", "sign"),
    [("pan_right", (-1, 0)), ("pan_left", (1, 0)), ("tilt_up", (0, 1)), ("tilt_down", (0, -1))],
)
def test_turning_moves_near_and_far_alike(move, sign):
    poses = poses_of(move)
    assert walk(poses, NEAR) == pytest.approx(walk(poses, FAR), abs=1e-6)
    # 0.1 diagonals a second for 2 seconds, but for the unevenness of the drive
    assert walk(poses, FAR) == pytest.approx(np.array(sign) * 0.2 * DIAGONAL, rel=0.15, abs=1e-6)


@pytest.mark.parametrize(
    ("move", "sign"),
    [("truck_right", (-1, 0)), ("truck_left", (1, 0)), ("pedestal_up", (0, 1)), ("pedestal_down", (0, -1))],
)
def test_carrying_moves_near_things_as_much_more_as_they_are_nearer(move, sign):
    poses = poses_of(move)
    assert walk(poses, NEAR) == pytest.approx(4 * walk(poses, FAR), abs=1e-6)
    assert walk(poses, SUBJECT) == pytest.approx(np.array(sign) * 0.2 * DIAGONAL, rel=0.15, abs=1e-6)


@pytest.mark.parametrize(("lens", "legs"), [("zoom_in", "push_in"), ("zoom_out", "pull_out")])
def test_a_lens_grows_all_alike_and_legs_what_is_near(lens, legs):
    def growth(move: str, z: float) -> float:
        poses = poses_of(move)
        return 1 + walk(poses, (0.4, 0.0, z))[0] / (SIZE[0] * 0.4 / (z - poses[0].place[2]) * poses[0].focal)

    assert growth(lens, 8.0) == pytest.approx(growth(lens, 3.0))
    assert (growth(lens, 8.0) > 1) == (growth(legs, 8.0) > 1) == lens.endswith("in")
    assert abs(np.log(growth(legs, 3.0))) > 1.5 * abs(np.log(growth(legs, 8.0)))


def test_an_arc_holds_its_middle_between_near_and_far():
    poses = poses_of("arc")
    assert walk(poses, SUBJECT) == pytest.approx([0, 0], abs=1e-6)
    assert walk(poses, FAR)[0] > 20
    assert walk(poses, NEAR)[0] < -20


def test_a_hand_is_as_unsteady_as_asked_for():
    poses = poses_of("handheld", 0.0, unrest=0.1)
    steps = [np.hypot(*walk([a, b], FAR)) for a, b in pairwise(poses)]
    assert np.mean(steps) * float(FPS) / DIAGONAL == pytest.approx(0.1, rel=0.5)
    assert np.hypot(*walk(poses, FAR)) < 0.2 * sum(steps)


def test_a_film_is_the_same_from_the_same_seed():
    pictures = [np.random.default_rng(n).integers(0, 255, (90, 160, 3), np.uint8) for n in range(3)]
    one, same, other = (film(pictures, Drive("arc", 0.1), seed, num_frames=3) for seed in (1, 1, 2))
    assert one.shape == (3, SIZE[1], SIZE[0], 3)
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_all_sixteen_moves_are_driven():
    assert len(set(MOVES)) == 16
    assert all(len(poses_of(move)) == 49 for move in MOVES)
