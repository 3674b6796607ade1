"""Checks the import rules of pyproject.toml; exit code 1 names the rule that is broken."""

import sys

from importlinter.cli import lint_imports

if __name__ == "__main__":
    sys.exit(lint_imports(no_cache=True))
