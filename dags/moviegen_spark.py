"""The same commands through `spark-submit`, for a cluster that Airflow knows as a connection. Needs apache-airflow-providers-apache-spark,
`spark-submit` on the PATH, and MOVIEGEN_BIN in an environment that has `moviegen[curation]`."""

import os
from collections.abc import Sequence
from pathlib import Path

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from moviegen_command import fill

DRIVER = Path(__file__).with_name("moviegen_driver.py")


class MoviegenOnSpark(SparkSubmitOperator):
    """A job of `moviegen curate` whose driver `spark-submit` starts here, in the Python that MOVIEGEN_BIN belongs to."""

    template_fields: Sequence[str] = ("words", "given", "each")

    def __init__(self, *, words: Sequence[str], given=None, each=None, **kwargs) -> None:
        python = str(Path(os.environ.get("MOVIEGEN_BIN", "moviegen")).with_name("python"))
        super().__init__(
            application=str(DRIVER), conn_id=os.environ["MOVIEGEN_SPARK_CONN"],
            env_vars={"PYSPARK_PYTHON": python, "PYSPARK_DRIVER_PYTHON": python}, **kwargs,
        )  # fmt: skip
        self.words, self.given, self.each = list(words), given, each

    def execute(self, context):
        """Submits the command; with several `given`, one after another."""
        self.env_vars = {**self.env_vars, "MOVIEGEN_TASK_PID": str(os.getpid())}
        several = self.given if isinstance(self.given, list) else [self.given]
        for given in several:
            self.application_args = fill(self.words, {**(given or {}), **(self.each or {})})
            self._hook = None
            print("$ moviegen", *self.application_args, flush=True)
            super().execute(context)
