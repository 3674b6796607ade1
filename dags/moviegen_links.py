"""The button of a task that opens the HTML report of its lake; the plugin in `plugins/` serves the page."""

from urllib.parse import urlencode

from airflow.sdk import BaseOperatorLink

PREFIX = "/moviegen"
"""Where the plugin's pages lie on Airflow's server."""


class ReportLink(BaseOperatorLink):
    """Link to the report; none for a lake in an object store, which Airflow's server does not open."""

    name = "Report"

    def get_link(self, operator, *, ti_key) -> str:
        """The page's address on Airflow's own server."""
        lake = str((operator.given or {}).get("lake", ""))
        return f"{PREFIX}/report?{urlencode({'lake': lake})}" if lake and "://" not in lake else ""
