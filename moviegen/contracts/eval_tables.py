"""Tables that evaluations write: scores of items, metrics with their intervals, win rates of blind studies."""

from moviegen.contracts.table import Table, column

EVAL_SCORES = Table(
    "eval_scores",
    ("run", "item", "metric"),
    ("eval",),
    "What an evaluation measured, one row an item and metric; a file that cannot be measured has a row that says why.",
    (
        column("run", "string", "name of the evaluation"),
        column("item", "string", "the file's name without suffix, below its folder"),
        column("metric", "string", "what was measured"),
        column("status", "string", "ok, failed (why: reason) or skipped (the metric does not apply: reason)"),
        column("value", "float64", "the score; null unless ok", nullable=True),
        column("reason", "string", "why there is no value", nullable=True),
        column("source", "string", "SHA-256 of the file measured", nullable=True),
        column("reference", "string", "SHA-256 of the file it was compared with", nullable=True),
        column("weights", "string", "SHA-256 of the network's file; null where none is needed", nullable=True),
        column("version", "string", "hash of the metric, its version and its settings"),
        column("tags", "string", "tags of the prompt, separated by commas", nullable=True),
    ),
)

EVAL_METRICS = Table(
    "eval_metrics",
    ("run", "metric"),
    ("eval",),
    "What an evaluation found, one row a metric: the mean of its items or a distance of sets, with its interval.",
    (
        column("run", "string", "name of the evaluation"),
        column("metric", "string", "what was measured"),
        column("kind", "string", "mean (of items) or set (one number of all items)"),
        column("value", "float64", "the mean, or the distance; null where nothing could be measured", nullable=True),
        column("low", "float64", "lower end of the 95 % interval; null where there is none", nullable=True),
        column("high", "float64", "upper end of the interval", nullable=True),
        column("n", "int64", "items that the value is of"),
        column("num_failed", "int64", "items that failed"),
        column("num_skipped", "int64", "items to which the metric does not apply"),
        column("unit", "string", "unit of the value, empty where it has none"),
        column("better", "string", "higher, lower, or none: neither is better"),
        column("weights", "string", "SHA-256 of the network's file; null where none is needed", nullable=True),
        column("version", "string", "hash of the metric, its version and its settings"),
        column("note", "string", "what to know before believing it", nullable=True),
    ),
)

EVAL_RATES = Table(
    "eval_rates",
    ("study", "axis", "grouped_by", "group_name"),
    ("eval ab score",),
    "What people prefer: win rates of a blind study, one row an axis and group of items.",
    (
        column("study", "string", "id of the study"),
        column("a", "string", "model whose win rate it is"),
        column("b", "string", "the other"),
        column("axis", "string", "what was asked"),
        column("grouped_by", "string", "all, tag or motion_level"),
        column("group_name", "string", "the tag or the level; empty of all"),
        column("n", "int64", "items"),
        column("num_votes", "int64", "votes"),
        column("win", "float64", "items for a", "%"),
        column("tie", "float64", "items for neither", "%"),
        column("loss", "float64", "items for b", "%"),
        column("net", "float64", "net win rate, -100..100", "points"),
        column("scale", "string", "net, or win_rate: 0..100, 50 a tie"),
        column("value", "float64", "on the axis's scale"),
        column("low", "float64", "lower end of the 95 % interval of value; null of one item", nullable=True),
        column("high", "float64", "upper end of the interval", nullable=True),
        column("sigma", "float64", "standard error of value; null of one item", "points", nullable=True),
        column("verdict", "string", "significant, moderate, on par, or too few"),
        column("interval_over", "string", "what was drawn again: items, raters or both"),
        column("resamples", "int64", "how often"),
    ),
)
