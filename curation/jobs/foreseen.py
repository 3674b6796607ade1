"""What other rules would do, told by a dry run that cannot filter yet: the jobs before have scores to make."""

from collections.abc import Sequence

from curation.filters import Rule, rule_of_row
from curation.stats.columns import read_columns
from curation.trial import MAX_BITS, try_rules
from curation.whatif import compare

from .session import Session


def foreseen(session: Session, before: Sequence[dict], rules: Sequence[Rule]) -> str:
    """How many clips of the batch come and go by the scores there are, and what the explored ones tell of those without; empty where
    the rules are too many to try. `before` are the subset's committed rows of `rules`."""
    present = [rule_of_row(row) for row in before if row["metric"]]
    metrics = list(dict.fromkeys(rule.metric for rule in (*rules, *present)))
    if len(metrics) + len(present) > MAX_BITS:
        return ""
    columns = read_columns(session.lake, session.config.subset, metrics, [session.batch])
    trial = try_rules(rules, columns.scores, columns.seconds, present, columns.failed)
    compared = compare(trial, columns, [row["rule"] for row in before if not row["metric"]])
    text = f"by the scores there are {compared['num_lost']} of {compared['num_kept_now']} kept clips go, {compared['num_gained']} come"
    guess = trial.estimate
    if guess.num_unmeasured:
        text += f", and {guess.num_unmeasured} lack a score yet"
    if guess.num_unmeasured and guess.num_kept is not None:
        text += f", of which about {guess.num_kept:,.0f} would be kept (standard error {guess.error:,.0f})"
    return text
