"""A stage's folder: killed at every point and done again, locked, refused when its settings or data changed."""

import json
import os
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from moviegen.contracts import lake
from moviegen.contracts.stage import read_stage
from moviegen.errors import UsageError
from moviegen.temporary import machine
from training import checkpoint, stage
from training.callbacks.checkpoints import superfluous
from training.callbacks.guard import RECORDS_FOLDER, NonFiniteGuard
from training.callbacks.metrics import CURVE_FILE, METRICS_FILE, MetricsFile, draw_curve, read_metrics
from training.checkpoint import (
    STATE_FILE,
    CheckpointError,
    check_checkpoint,
    checkpoint_name,
    checkpoints,
    load_state,
    newest_checkpoint,
)
from training.checkpoint_io import FolderCheckpointIO
from training.contents import describe_change
from training.stage import CRASH_POINTS, begin_stage, finish_stage, hold_stage, recover, refuse_changes, stage_state

IDENTITY = {"model": {"dim": 8}, "data": {"digest": "a"}}
STEPS = 4


def live(folder: Path) -> None:
    """All that a stage writes, in its order, without a network: from its newest checkpoint to stage.json."""
    state = stage_state(folder, IDENTITY, "sha")
    with hold_stage(folder):
        state = recover(state)
        begin_stage(folder, IDENTITY, {"name": "tiny"}, {"a.tar": "1"})
        total = float(load_state(state.checkpoint)["total"]) if state.checkpoint else 0.0
        start = checkpoint.parse_checkpoint_name(state.checkpoint.name) if state.checkpoint else 0
        trainer = SimpleNamespace(default_root_dir=str(folder), global_step=start, is_global_zero=True, global_rank=0)
        metrics = MetricsFile()
        metrics.on_train_start(trainer, None)
        for step in range(start + 1, STEPS + 1):
            trainer.global_step, total = step, total + step / 7
            metrics._write(trainer, {"train/loss": total})
            NonFiniteGuard()._write(trainer, {"step": step})
            path = folder / "checkpoints" / checkpoint_name(step)
            for _ in range(2):  # the second takes the first one's place
                FolderCheckpointIO().save_checkpoint({"total": torch.tensor(total, dtype=torch.float64)}, path)
            for old in superfluous(checkpoints(path.parent), path, 2, None):
                FolderCheckpointIO().remove_checkpoint(old)
        with lake.atomic_write(folder / CURVE_FILE, "curve") as picture:  # drawing takes longer than all the rest
            picture.write_text(repr(read_metrics(folder / METRICS_FILE)))
        finish_stage(folder, "tae", "tiny", STEPS, "sha", lambda place: export(place, total))


def export(place: Path, total: float) -> None:
    place.mkdir()
    (place / "model.safetensors").write_bytes(repr(total).encode())


def contents(folder: Path) -> dict[str, bytes]:
    """Bytes by name of all that a finished stage leaves."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if ".damaged" not in str(path)}


def killed_at(point: str, folder: Path) -> bool:
    """Lives in a child that dies at a crash point; whether it did."""
    child = os.fork()
    if not child:
        os.environ["FAULT_AT"] = point
        lake._PASSED.clear()
        code = 1
        try:
            live(folder)
            code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL)
    return code != 0


def damage(folder: Path) -> None:
    state = checkpoints(folder / "checkpoints")[-1] / STATE_FILE
    state.write_bytes(state.read_bytes()[:-7])


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A stage that nothing happened to."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    live(folder)
    return folder


def test_every_crash_point_is_passed_and_enumerated(tmp_path, monkeypatch):
    passed = []
    for module in (lake, checkpoint, stage):
        monkeypatch.setattr(module, "crash_point", passed.append)
    live(tmp_path / "run")
    damage(tmp_path / "run")
    live(tmp_path / "run")
    assert set(passed) == set(CRASH_POINTS)
    passed.clear()
    draw_curve([(1, "train/loss", 1.0)], tmp_path / "run" / CURVE_FILE)
    assert {point.split(".")[0] for point in passed} == {"curve"}
    assert len(CRASH_POINTS) == len(set(CRASH_POINTS))


@pytest.mark.parametrize("passing", [1, 3])
@pytest.mark.parametrize("point", CRASH_POINTS)
def test_killed_at_a_crash_point_and_done_again_equals_never_killed(point, passing, whole, tmp_path):
    folder = tmp_path / "run"
    if point == "damaged.renamed":
        live(folder)
        damage(folder)
    died = killed_at(f"{point}#{passing}", folder)
    assert died or passing > 1
    newest, faults = newest_checkpoint(folder / "checkpoints")
    if point != "damaged.renamed":
        assert [fault for fault in faults if "not those written" in fault] == []
        latest = folder / "checkpoints" / "latest"
        if latest.exists() and point != "checkpoint.replaced":
            check_checkpoint(latest.parent / latest.read_text().strip())
    steps = {step for step, _, _ in read_metrics(folder / METRICS_FILE)}
    assert newest is None or checkpoint.parse_checkpoint_name(newest.name) in steps
    if not died:
        assert read_stage(folder) is not None
    live(folder)
    found, wanted = contents(folder), contents(whole)
    assert {name for name in found if Path(name).name.startswith(".")} == set()
    assert {name: found[name] for name in wanted} == wanted
    assert set(found) - set(wanted) == set()


def test_a_folder_in_use_is_refused(tmp_path):
    with (
        hold_stage(tmp_path / "run"),
        pytest.raises(UsageError, match=r"run: another process trains in it; wait for it"),
        hold_stage(tmp_path / "run"),
    ):
        pass
    with hold_stage(tmp_path / "run"):
        pass


def test_damaged_checkpoints_are_told_and_kept(tmp_path, capsys):
    live(tmp_path)
    damage(tmp_path)
    recover(stage_state(tmp_path, IDENTITY, "sha"))
    said = capsys.readouterr().err.splitlines()
    assert "sha256 differs): left aside" in said[0]
    assert said[1] == f"{tmp_path / 'checkpoints' / checkpoint_name(STEPS)}.damaged: kept under this name"
    assert stage_state(tmp_path, IDENTITY, "sha").faults == (
        f"{tmp_path / 'checkpoints/latest'}: names {checkpoint_name(STEPS)}, which is gone",
    )


def test_a_stage_with_no_whole_checkpoint_does_not_begin_anew_by_itself(tmp_path):
    live(tmp_path)
    for path in checkpoints(tmp_path / "checkpoints"):
        (path / STATE_FILE).write_bytes(b"")
    with pytest.raises(CheckpointError, match="none of its checkpoints is whole; put one back, or delete"):
        recover(stage_state(tmp_path, IDENTITY, "sha"))
    assert len(checkpoints(tmp_path / "checkpoints")) == 2


def test_changed_settings_and_data_are_named_with_what_to_do(tmp_path):
    live(tmp_path)
    state = stage_state(tmp_path, {"model": {"dim": 16}, "data": {"digest": "b"}}, "sha")
    with pytest.raises(UsageError) as error:
        refuse_changes(state, {"b.tar": "2", "a.tar": "9"})
    assert str(error.value).splitlines() == [
        f"{tmp_path}: was trained to step 4 with other settings (then -> now):",
        "  data: 1 file added: b.tar",
        "  data: 1 file with other bytes: a.tar",
        "  data: 1 file -> 2 files",
        "  model.dim: 8 -> 16",
        "set them as they were, choose another --output to begin anew, or add --allow_changed true to go on from its "
        "checkpoint all the same",
    ]


def test_data_that_are_not_listed_are_told_by_their_digest(tmp_path):
    live(tmp_path)
    (tmp_path / "data.json").unlink()
    state = stage_state(tmp_path, {"model": {"dim": 8}, "data": {"digest": "b"}}, "sha")
    with pytest.raises(UsageError, match=r"data.digest: a -> b"):
        refuse_changes(state, {})


def test_the_same_data_have_no_change():
    assert describe_change({"a": "1"}, {"a": "1"}) == []
    lines = describe_change({str(i): "" for i in range(9)}, {})
    assert lines == ["data: 9 files gone: 0, 1, 2 and 6 more", "data: 9 files -> 0 files"]


def test_records_are_json_beside_the_checkpoints(whole):
    record = json.loads((whole / RECORDS_FOLDER / "step-00000002.rank-0.json").read_text())
    assert record == {"step": 2}


def test_a_model_folder_is_written_under_a_name_of_ones_own(tmp_path):
    seen = []

    def exported(place: Path) -> None:
        seen.append(place)
        export(place, 1.0)

    ended, elsewhere = tmp_path / ".model.tmp", tmp_path / ".model.0123abcd-7-89abcdef.tmp"
    for left in (ended, elsewhere):
        export(left, 0.5)
    finish_stage(tmp_path, "tae", "tiny", 1, "sha", exported)
    finish_stage(tmp_path, "tae", "tiny", 1, "sha", exported)
    assert len(set(seen)) == 2
    assert machine() in seen[0].name
    assert not ended.exists()
    assert elsewhere.exists(), "another machine may be writing it"
    assert (tmp_path / "model/model.safetensors").read_bytes() == b"1.0"
