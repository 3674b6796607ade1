# /// script
# [tool.marimo.display]
# theme = "system"
# ///
"""A lake asked by an analyst: `python -m marimo edit notebooks/analyst.py`, with MOVIEGEN_LAKE naming the lake."""

import marimo

app = marimo.App(width="medium", app_title="A lake, asked")


@app.cell
def _():
    import sys

    import altair as alt
    import marimo as mo

    from curation.stats.content import subset_names
    from curation.stats.duck import ask, ask_arrow, open_lake
    from curation.stats.notebook import find_lake
    from moviegen.errors import UsageError

    return UsageError, alt, ask, ask_arrow, find_lake, mo, open_lake, subset_names, sys


@app.cell
def _(UsageError, find_lake, mo, open_lake, sys):
    try:
        lake = find_lake()
    except UsageError as error:
        if not mo.running_in_notebook():
            sys.exit(str(error))
        mo.stop(True, mo.callout(mo.plain_text(str(error)), kind="warn"))
    connection = open_lake(lake)
    mo.md(
        f"# A lake, asked\n\n`{lake}`: a view for every table and every question. Change a control, and what depends on it follows."
    )
    return connection, lake


@app.cell
def _(connection, mo, subset_names):
    subset = mo.ui.dropdown(subset_names(connection), value=subset_names(connection)[0], label="subset")
    subset  # noqa: B018 what a cell ends with is shown
    return (subset,)


@app.cell
def _(alt, ask_arrow, connection, mo, subset):
    funnel = ask_arrow(
        connection, "select step, bound, num_left, left_percent from funnel where subset = ?", [subset.value]
    )
    funnel_chart = (
        alt.Chart(funnel.to_pandas(), title="Funnel: clips left after each step")
        .mark_bar()
        .encode(
            x=alt.X("num_left", title="clips"),
            y=alt.Y("step", sort=None, title=None),
            tooltip=["bound", "num_left", "left_percent"],
        )
        .properties(width="container")
    )
    mo.vstack([funnel_chart, mo.ui.table(funnel.to_pandas(), selection=None, page_size=20)])
    return (funnel,)


@app.cell
def _(ask, connection, mo):
    spread = ask(
        connection, "select metric, count(distinct round(score, 1)) from scores group by all order by metric"
    ).rows
    metrics = [name for name, _ in spread]
    metric = mo.ui.dropdown(metrics, value=max(spread, key=lambda row: row[1])[0], label="metric")
    metric  # noqa: B018
    return (metric,)


@app.cell
def _(SCORES_OF, alt, ask_arrow, connection, metric, subset):
    scores = ask_arrow(connection, SCORES_OF, [metric.value, subset.value])
    score_chart = (
        alt.Chart(scores.to_pandas(), title=f"{metric.value}, by what became of the clip")
        .mark_bar()
        .encode(x=alt.X("score", bin=alt.Bin(maxbins=30)), y=alt.Y("count()", title="clips"), color="state")
        .properties(width="container", height=220)
    )
    score_chart  # noqa: B018
    return (scores,)


@app.cell
def _():
    SCORES_OF = """
    select scores.score, clip_states.state
    from scores
    inner join clip_states using (batch, clip_id)
    where scores.metric = ? and clip_states.subset = ?
    """
    return (SCORES_OF,)


@app.cell
def _(mo):
    words = mo.ui.text(value="", label="captions with")
    words  # noqa: B018
    return (words,)


@app.cell
def _(ask_arrow, connection, mo, subset, words):
    found = ask_arrow(
        connection,
        "select clip_id, state, captioner, text from clip_captions where subset = ? and contains(lower(text), lower(?)) limit 200",
        [subset.value, words.value],
    )
    mo.vstack([mo.md(f"{found.num_rows} captions"), mo.ui.table(found.to_pandas(), selection=None)])
    return (found,)


@app.cell
def _(lake, mo):
    mo.md(f"Any other question: `moviegen stats {lake}` is a shell that completes names.")
    return


if __name__ == "__main__":
    app.run()
