"""The parser's messages in plain words, and the name that a mistyped one means."""

import pytest

from moviegen.messages import nearest, plain, printable


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ('Parser key "a.b":\n  Expected a <class \'float\'>. Got value: abc', "--a.b: wanted a number, got abc"),
        ('Parser key "config": File does not exist: \'/x/nope.yaml\'', "--config: no file /x/nope.yaml"),
        ("the following arguments are required: model, output", "give --model, --output"),
        ("output: Expected a <class 'str'>. Got value: None", "output: not given, and it must be: a word"),
        (
            "Parser key \"n\":\n  Does not validate against any of the Union subtypes\n  Subtypes: [<class 'int'>, "
            "<class 'NoneType'>]\n  Errors:\n    - Expected a <class 'int'>\n  Given value type: <class 'str'>\n  Given value: many",
            "--n: wanted a whole number, got many",
        ),
        ("something else", "something else"),
    ],
)  # fmt: skip
def test_messages_are_in_plain_words(said, shown):
    assert plain(said) == shown


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("detecters.ocr.count", "score.detectors"),
        ("lak", "lake"),
        ("lake", None),
        ("score.detectors", None),
        ("zzz", None),
    ],
)
def test_a_mistyped_name_is_guessed_by_its_parts(word, meant):
    assert nearest(word, ["lake", "score", "score.detectors"]) == meant


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb\x07", "a\N{REPLACEMENT CHARACTER}[31mb\N{REPLACEMENT CHARACTER}"),
        ("\x9b2J\u2028", "\N{REPLACEMENT CHARACTER}2J\N{REPLACEMENT CHARACTER}"),
        ("\u202egpj.exe", "\N{REPLACEMENT CHARACTER}gpj.exe"),
        ("two\nlines\tétroit\u00a0中文 👩\u200d🚀", "two\nlines\tétroit\u00a0中文 👩\u200d🚀"),
    ],
)
def test_nothing_steers_a_terminal(text, shown):
    assert printable(text) == shown
