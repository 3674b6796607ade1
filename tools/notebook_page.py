"""An executed Jupyter notebook as a page, with its charts drawn: `marimo run tools/notebook_page.py -- --notebook executed.ipynb`.

marimo's parts stand in for Jupyter's: they are installed with the notebooks' extra, and ask nothing from elsewhere.
"""

import marimo

app = marimo.App(width="medium", app_title="An executed notebook")


@app.cell
def _():
    import altair as alt
    import marimo as mo
    import nbformat

    return alt, mo, nbformat


@app.cell
def _(alt, mo):
    def drawn(output):
        """An output as Jupyter would show it: a chart, a table, or text."""
        data = output.get("data", {})
        if "application/json" in data:
            return alt.Chart.from_dict(data["application/json"])
        if "text/html" in data:
            return mo.Html(data["text/html"])
        return mo.plain_text(data.get("text/plain") or output.get("text", ""))

    def shown(cell):
        """A cell and what it gave."""
        if cell.cell_type == "markdown":
            return [mo.md(cell.source)]
        return [mo.md(f"```python\n{cell.source}\n```"), *map(drawn, cell.outputs)]

    return (shown,)


@app.cell
def _(mo, nbformat, shown):
    notebook = nbformat.read(mo.cli_args()["notebook"], as_version=4)
    mo.vstack([part for cell in notebook.cells for part in shown(cell)])
    return


if __name__ == "__main__":
    app.run()
