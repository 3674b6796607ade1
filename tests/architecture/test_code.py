"""Habits that would be holes: pickle, shells, SQL by f-string, unsafe loads. Read from the syntax tree of every file."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(
    path for name in ("moviegen", "curation", "training", "dags", "tools") for path in (ROOT / name).rglob("*.py")
)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def calls(path: Path):
    return [node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]


def place(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(ROOT)}:{node.lineno}"


def test_no_shell():
    found = [
        place(p, c)
        for p in SOURCES
        for c in calls(p)
        for k in c.keywords
        if k.arg == "shell" and getattr(k.value, "value", True)
    ]
    assert found == []


def test_no_pickle():
    modules = {"pickle", "dill", "cloudpickle", "shelve", "marshal"}
    found = []
    for path in SOURCES:
        for node in ast.walk(tree(path)):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [place(path, node) for name in names if name.split(".")[0] in modules]
    assert found == []


def test_torch_load_reads_weights_only():
    found = []
    for path in SOURCES:
        for call in calls(path):
            if ast.unparse(call.func) == "torch.load":
                safe = any(k.arg == "weights_only" and getattr(k.value, "value", False) is True for k in call.keywords)
                found += [] if safe else [place(path, call)]
    assert found == []


SQL = re.compile(
    r"\b(select\b.+\bfrom|insert\s+into|create\s+(or\s+replace\s+)?(table|view)|drop\s+(table|view)|delete\s+from)\b",
    re.I | re.S,
)


def test_no_sql_by_f_string():
    found = []
    for path in SOURCES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.JoinedStr) and any(isinstance(part, ast.FormattedValue) for part in node.values):
                text = " ".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
                found += [place(path, node)] if SQL.search(text) else []
    assert found == []


FORBIDDEN = {
    "yaml.load": "yaml.safe_load", "yaml.unsafe_load": "yaml.safe_load", "yaml.full_load": "yaml.safe_load",
    "eval": "a parser", "exec": "a function", "os.system": "subprocess.run", "os.popen": "subprocess.run",
    "torch.export.load": "weights and our own code", "torch.hub.load": "weights by path",
    "tempfile.mktemp": "tempfile.mkdtemp", "webdataset.WebDataset": "our own reader", "wds.WebDataset": "our own reader",
}  # fmt: skip
"""Calls that execute or trust what they read -> what to use."""


def test_no_call_that_trusts_what_it_reads():
    found = []
    for path in SOURCES:
        for call in calls(path):
            name = ast.unparse(call.func)
            if name in FORBIDDEN:
                found.append(f"{place(path, call)} {name}: use {FORBIDDEN[name]}")
            if name.endswith((".extractall", ".extract")) and "tar" in name:
                found.append(f"{place(path, call)} {name}: read the members")
            if any(k.arg == "allow_pickle" and getattr(k.value, "value", True) for k in call.keywords):
                found.append(f"{place(path, call)} {name}: allow_pickle")
            if any(k.arg == "trust_remote_code" and getattr(k.value, "value", True) for k in call.keywords):
                found.append(f"{place(path, call)} {name}: trust_remote_code")
    assert found == []


def test_numpy_and_jinja_are_told_not_to_trust():
    found = []
    for path in SOURCES:
        for call in calls(path):
            given = {k.arg: getattr(k.value, "value", None) for k in call.keywords}
            name = ast.unparse(call.func)
            if name in ("np.load", "numpy.load") and given.get("allow_pickle", False) is not False:
                found.append(place(path, call))
            if name in ("Environment", "jinja2.Environment") and given.get("autoescape") is not True:
                found.append(place(path, call))
    assert found == []


def test_no_sql_by_format_or_percent():
    found = []
    for path in SOURCES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
                texts = [
                    s.value for s in (node.left, node.right) if isinstance(s, ast.Constant) and isinstance(s.value, str)
                ]
                found += [place(path, node)] if any(SQL.search(text) for text in texts) else []
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
                own = node.func.value
                is_sql = isinstance(own, ast.Constant) and isinstance(own.value, str) and SQL.search(own.value)
                found += [place(path, node)] if is_sql else []
    assert found == []


def test_public_functions_and_classes_say_what_they_are():
    found = []
    for path in SOURCES:
        for node in tree(path).body:
            if (
                isinstance(node, ast.FunctionDef | ast.ClassDef)
                and not node.name.startswith("_")
                and not ast.get_docstring(node)
            ):
                found.append(f"{place(path, node)} {node.name}")
    assert found == []


@pytest.mark.parametrize("name", ["utils.py", "common.py", "misc.py", "helpers.py"])
def test_no_drawer(name):
    assert [path for path in SOURCES if path.name == name] == []


def test_no_path_of_a_machine_and_no_index_address():
    pattern = re.compile(r"(?<![\w.])/(home|root|mnt|work|farm|opt)/[a-z.]|index-url|find-links|https?://\S*/simple")
    files = [p for pat in ("*.py", "*.yaml", "*.md", "*.toml", "*.txt", "*.sql", "*.html") for p in ROOT.rglob(pat)]
    own = [
        p
        for p in files
        if not any(part.startswith(".") or part in ("demo", "runs", "build") for part in p.relative_to(ROOT).parts)
    ]
    found = [
        str(p.relative_to(ROOT))
        for p in own
        if p != Path(__file__).resolve() and pattern.search(p.read_text(errors="replace"))
    ]
    assert found == []


SYNCS = {"os.fsync", "os.fdatasync", "_fsync", "os.replace", "os.rename", "os.renames", "shutil.move"}
"""Calls after which something is there that was not before; so is any `path.rename(...)`."""


def is_sync(node: ast.stmt) -> bool:
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
        return False
    name = ast.unparse(node.value.func)
    return name in SYNCS or name.endswith(".rename")


def test_every_sync_and_rename_of_curation_is_followed_by_a_crash_point():
    """Each is killed once, in tests/e2e/test_faults.py and tests/curation/test_java.py. `_fsync` is a helper: its calls count."""
    found = []
    for path in SOURCES:
        if path.relative_to(ROOT).parts[0] != "curation" and path.parent.name not in ("contracts", "media"):
            continue
        if path.name == "remote.py":  # fetches into a machine's cache: what is not there is fetched again
            continue
        for one, two in neighbours(path):
            if is_sync(one) and (two is None or not ast.unparse(two).startswith("crash_point(")):
                found.append(place(path, one))
    assert found == []


def neighbours(path: Path):
    """Statements with the one after them in the same block, of all but `_fsync`."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Try) and [s for s in node.body if "os.fsync" in ast.unparse(s)]:
            continue  # the body of `_fsync`
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list) and block:
                yield from zip(block, [*block[1:], None], strict=True)


def test_nothing_of_curation_is_written_under_its_final_name():
    """`temporary` is what `atomic_write` gives. `script` lies in a folder that is renamed, `log` is Spark's."""
    found = []
    for path in SOURCES:
        if path.relative_to(ROOT).parts[0] != "curation":
            continue
        for call in calls(path):
            if isinstance(call.func, ast.Attribute) and call.func.attr in ("write_text", "write_bytes"):
                found += [] if ast.unparse(call.func.value) in ("temporary", "script") else [place(path, call)]
            if ast.unparse(call.func) == "open" and len(call.args) > 1 and "r" not in ast.unparse(call.args[1]):
                found += [] if ast.unparse(call.args[0]) in ("temporary", "log") else [place(path, call)]
    assert found == []


def test_every_crash_point_is_in_the_registry():
    from moviegen.contracts.lake import CRASH_POINTS, STORE_CRASH_POINTS, WRITE_KINDS

    found = []
    for path in SOURCES:
        if path.relative_to(ROOT).parts[0] == "training":
            continue
        for call in calls(path):
            name = ast.unparse(call.func)
            if name == "crash_point" and isinstance(call.args[0], ast.Constant):
                found += [] if call.args[0].value in CRASH_POINTS + STORE_CRASH_POINTS else [place(path, call)]
            if name == "atomic_write" and len(call.args) > 1:
                found += [] if ast.literal_eval(call.args[1]) in WRITE_KINDS else [place(path, call)]
    assert found == []
