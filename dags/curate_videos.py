"""Raw video to shards: batches and detectors as mapped tasks, checks that fail the run, the report.

Each task is the command a person would type, so the same thing runs without Airflow. A task that is killed and tried again goes on
from what is committed; a finished run run again does no work and changes no byte.
"""

from airflow.sdk import dag
from moviegen_command import RETRIES
from moviegen_runs import PARAMS, SHARDS, curate, settings


@dag(schedule=None, params=PARAMS, max_active_runs=1, default_args=RETRIES, tags=["moviegen"], doc_md=__doc__)
def curate_videos():
    """Every batch of the form."""
    curate(settings(), SHARDS)


curate_videos()
