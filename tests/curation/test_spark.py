import json
from dataclasses import asdict

import pytest

from curation.jobs.parts import LocalRunner, Operation, encode_task, make_task
from curation.spark import JobError, SparkRunner
from curation.spark_config import SparkConfig
from curation.spark_tasks import accepted, run_or_refuse
from moviegen.contracts.lake import Lake
from moviegen.errors import UsageError


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
    assert sorted(runner.begin(texts, "test")()) == sorted(LocalRunner().map(texts, "test"))
    assert len(json.loads(runner.begin(texts[:1], "test")()[0])) == 2
    assert runner.wave_size == 6


@pytest.mark.spark
def test_two_waves_at_once_do_not_mix(runner, tmp_path):
    texts = tasks(tmp_path, {"captioner": "source", "params": {}}, 8)
    first, second = runner.begin(texts[:5], "one"), runner.begin(texts[5:], "two")
    assert sorted(second()) == sorted(LocalRunner().map(texts[5:], "two"))
    assert sorted(first()) == sorted(LocalRunner().map(texts[:5], "one"))


@pytest.mark.spark
def test_a_users_mistake_comes_back_as_itself(runner, tmp_path):
    with pytest.raises(UsageError, match="no captioner 'sourze'; did you mean 'source'"):
        runner.begin(tasks(tmp_path, {"captioner": "sourze", "params": {}}), "test")()


def test_a_users_mistake_is_a_result_so_that_spark_does_not_try_it_again(tmp_path):
    (wrong,) = tasks(tmp_path, {"captioner": "sourze", "params": {}}, 1)
    (right,) = tasks(tmp_path, {"captioner": "source", "params": {}}, 1)
    results = [run_or_refuse(right), run_or_refuse(wrong)]
    assert accepted(results[:1]) == results[:1] == list(LocalRunner().map([right], "test"))
    with pytest.raises(UsageError, match="no captioner 'sourze'; did you mean 'source'"):
        accepted(results)


@pytest.mark.spark
def test_any_other_error_names_the_job_and_the_log(runner, tmp_path):
    with pytest.raises(JobError, match=r"caption things: Spark gave a task up.*KeyError(.|\n)*spark\.log"):
        runner.begin(tasks(tmp_path, {"params": {}}), "caption things")()
