"""The table of invariants names tests that exist, under the paper's section."""

import re


def test_each_invariant_names_a_test_with_its_section(repo_root):
    rows = re.findall(r"`([\w/]+\.py)::(\w+)`", (repo_root / "moviegen/models/README.md").read_text())
    assert len(rows) >= 25
    for path, name in rows:
        assert re.search(r"_s_(\d+(_\d+)+|table_\d+)$", name), name
        assert re.search(rf"^def {name}\(", (repo_root / "tests" / path).read_text(), re.MULTILINE), f"{path}::{name}"
