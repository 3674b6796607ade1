"""The faults: each trial types a kind's command, meets it with a signal, types it again and compares with the reference."""

import functools
import random
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

from fault_runs.results import Result, Tally, last_step, latest_step, log_samples, result_of
from fault_runs.stages import EVERY, STEPS, Kind, Stages, must
from moviegen.testing.forks import Outcome, Run, fork_run
from training.callbacks.metrics import METRICS_FILE
from training.checkpoint import LATEST_FILE, CheckpointError, check_checkpoint, newest_checkpoint, parse_checkpoint_name

MIN_AFTER = 50
"""Steps that must follow a SIGTERM: the losses of so many are compared at least [shared/reliability.md E1]."""


@dataclass(frozen=True)
class Reference:
    """The run that nothing happened to."""

    result: Result
    seconds: float
    """The whole command."""
    train_s: float
    """From the first file to the last."""


def reference(stages: Stages, kind: Kind) -> Reference:
    """Runs a kind's stage undisturbed."""
    output = stages.folder / f"{kind.name}-reference"
    outcome = must(Run(stages.words(kind, output)), functools.partial(log_samples, output))
    train_s = (output / "stage.json").stat().st_mtime - (output / "identity.json").stat().st_mtime
    return Reference(result_of(output), outcome.seconds, train_s)


class Campaign:
    """Some trials of one kind of stage, whose moments a seed tells."""

    def __init__(self, stages: Stages, kind: Kind, wanted: Reference, seed: str) -> None:
        self.stages, self.kind, self.wanted, self.rng, self.seed = stages, kind, wanted, random.Random(seed), seed
        self.number, self.save_s = 0, 0.01

    def sigterms(self, trials: int) -> Tally:
        """SIGTERM at a random moment of the first third: the step is finished and saved."""
        return self._ended(trials, signal.SIGTERM)

    def sigusr1s(self, trials: int) -> Tally:
        """SIGUSR1, as a cluster warns of the end of a job: the same."""
        return self._ended(trials, signal.SIGUSR1)

    def kills(self, trials: int) -> Tally:
        """SIGKILL at a random moment from the first step to the end."""
        tally = Tally(self.kind.name, "SIGKILL")
        while tally.trials < trials:
            output = self._output()
            outcome = self._meet(output, METRICS_FILE, self.rng.uniform(0, self.wanted.train_s), signal.SIGKILL)
            if outcome.code != 0:  # it came in time
                tally.trials += 1
                tally.other += outcome.code != -signal.SIGKILL
                self._look(output, tally, EVERY)
                self._end_well(output, tally)
            shutil.rmtree(output)
        return tally

    def save_kills(self, trials: int) -> Tally:
        """SIGKILL at a random moment of saving, a checkpoint a step: ten in one run, one after another."""
        tally = Tally(self.kind.name, "while saving")
        flags = ("--checkpoints.every_steps", "1")
        while tally.trials < trials:
            output, step = self._output(), 0
            while step < STEPS - 8 and tally.trials < trials:
                step += self.rng.randint(1, 7)
                pattern = f"checkpoints/.step-{step:08d}.ckpt.*.tmp"
                outcome = self._meet(output, pattern, self.rng.uniform(0, self.save_s), signal.SIGKILL, *flags)
                tally.other += outcome.code != -signal.SIGKILL
                is_half = bool(list((output / "checkpoints").glob(".*.tmp"))) or latest_step(output) != step
                self.save_s *= 1.05 if is_half else 0.9
                tally.trials += is_half
                self._look(output, tally, 1)
                step = max(step, latest_step(output))
            self._end_well(output, tally, *flags)
            shutil.rmtree(output)
        return tally

    def _ended(self, trials: int, number: signal.Signals) -> Tally:
        tally = Tally(self.kind.name, number.name)
        share = (STEPS - MIN_AFTER - 2) / STEPS
        while tally.trials < trials:
            output = self._output()
            outcome = self._meet(output, METRICS_FILE, self.rng.uniform(0, share * self.wanted.train_s), number)
            newest, faults = newest_checkpoint(output / "checkpoints")
            step = parse_checkpoint_name(newest.name) if newest else None
            if step is not None and STEPS - step >= MIN_AFTER:  # else it came too late: no trial
                tally.trials += 1
                tally.other += outcome.code != 128 + signal.SIGTERM
                tally.unreadable += bool(faults)
                tally.after.append(STEPS - step)
                tally.lost.append(last_step(output) - step)
                self._end_well(output, tally)
            elif outcome.code not in (0, 128 + signal.SIGTERM):
                tally.other += 1
                tally.said.append(outcome.said)
            shutil.rmtree(output)
        return tally

    def _output(self) -> Path:
        """A new folder."""
        self.number += 1
        return self.stages.folder / f"{self.seed}-{self.number}"

    def _meet(self, output: Path, when: str, after_s: float, number: int, *flags: str) -> Outcome:
        """Types the command and sends a signal."""
        words = self.stages.words(self.kind, output, *flags)
        run = Run(words, signals=(number,), when=str(output / when), after_s=after_s)
        return fork_run(run, functools.partial(log_samples, output))

    def _end_well(self, output: Path, tally: Tally, *flags: str) -> None:
        """Types the command again and compares."""
        run = Run(self.stages.words(self.kind, output, *flags))
        outcome = fork_run(run, functools.partial(log_samples, output))
        if outcome.code == 0:
            tally.compare(output, self.wanted.result)
            return
        tally.other += 1
        tally.said.append(f"{output.name}: ended with {outcome.code}: {outcome.said}")

    def _look(self, output: Path, tally: Tally, every: int) -> None:
        """What a kill left: the newest checkpoint must be whole and `latest` name a whole one; at most `every` steps are lost."""
        newest, faults = newest_checkpoint(output / "checkpoints")
        latest = output / "checkpoints" / LATEST_FILE
        try:
            if latest.exists():
                check_checkpoint(latest.parent / latest.read_text().strip())
        except CheckpointError as error:
            faults.append(str(error))
        tally.unreadable += bool(faults)
        tally.said += faults
        step = (parse_checkpoint_name(newest.name) if newest else 0) or 0
        lost = last_step(output) - step
        tally.lost.append(lost)
        tally.after.append(STEPS - step)
        tally.other += lost > every
