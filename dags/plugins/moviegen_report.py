"""Airflow plugin: serves the report of a lake to whoever is logged in, for the button of the report's task.

Only lakes below the folder MOVIEGEN_REPORTS are served. The page runs in a sandbox: it can do nothing in the name of who looks at it.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

from airflow.api_fastapi.core_api.security import get_user
from airflow.plugins_manager import AirflowPlugin
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import FileResponse

sys.path.append(str(Path(__file__).resolve().parents[1]))
from moviegen_links import PREFIX, ReportLink

REPORT = "report.html"

HEADERS = {"Content-Security-Policy": "sandbox allow-scripts; default-src 'none'; img-src data:; media-src data:; "
           "style-src 'unsafe-inline'; script-src 'unsafe-inline'; font-src data:",
           "X-Content-Type-Options": "nosniff"}  # fmt: skip

app = FastAPI(title="moviegen reports", docs_url=None, redoc_url=None, openapi_url=None)


def report_file(lake: str, root: str | None) -> Path:
    """The report of a lake below `root`. Raises HTTPException saying what is missing."""
    if not root:
        raise HTTPException(
            404, "MOVIEGEN_REPORTS is not set where Airflow's server runs: the folder below which lakes lie"
        )
    path = (Path(lake) / REPORT).resolve()
    if not path.is_relative_to(Path(root).resolve()) or not path.is_file():
        raise HTTPException(
            404, f"no report of this lake below MOVIEGEN_REPORTS; write it: moviegen curate report {lake}"
        )
    return path


@app.get("/report")
def report(lake: str, _user: Annotated[object, Depends(get_user)]) -> FileResponse:
    """The report of a lake."""
    return FileResponse(report_file(lake, os.environ.get("MOVIEGEN_REPORTS")), media_type="text/html", headers=HEADERS)


class MoviegenPlugin(AirflowPlugin):
    """The page and the button."""

    name = "moviegen"
    fastapi_apps = [{"app": app, "url_prefix": PREFIX, "name": "moviegen reports"}]  # noqa: RUF012 -- Airflow's own interface
    operator_extra_links = [ReportLink()]  # noqa: RUF012
