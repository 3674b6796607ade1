import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.expressions import parse_rules
from moviegen.errors import UsageError


def test_an_expression_is_rules_in_its_order():
    rules = parse_rules("aesthetic.middle > 4.5 and motion.vmaf between 2 and 9 and camera.x<=-1e-3")
    assert [rule.bound for rule in rules] == ["aesthetic.middle > 4.5", "2 <= motion.vmaf <= 9", "camera.x <= -0.001"]
    assert [rule.name for rule in rules] == ["aesthetic.middle", "motion.vmaf", "camera.x"]
    assert {rule.if_missing for rule in rules} == {"error"}


def test_a_metric_bounded_twice_gives_two_names():
    assert [rule.name for rule in parse_rules("a.b > 1 and a.b < 3 and a.b = 2")] == ["a.b", "a.b (2)", "a.b (3)"]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "its end"),
        ("a.b", "its end"),
        ("a.b > ", "its end"),
        ("a.b > x", "'x'"),
        ("a.b > 1 or c > 2", "'or c > 2'"),
        ("(a.b > 1)", r"'\(a.b > 1\)'"),
        ("a.b between 2", "its end"),
        ("a.b between 9 and 2", "nothing could pass"),
        ("a.b > 1; drop table clips", "'; drop table clips'"),
        ("a.b > 1 and", "its end"),
        ("1 > a.b", "'1 > a.b'"),
        ("a.b > 1 -- x", "'-- x'"),
    ],
)
def test_what_cannot_be_read_is_shown(text, where):
    with pytest.raises(UsageError, match=where):
        parse_rules(text)


@given(st.text(alphabet="ab.>=<1 -e'\";()and", max_size=40))
def test_any_text_is_rules_or_a_usage_error(text):
    with contextlib.suppress(UsageError):
        assert parse_rules(text)
