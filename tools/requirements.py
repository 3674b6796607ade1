"""Prints the requirements of a pyproject.toml with extras expanded, one a line: `requirements.py pyproject.toml all,test`."""

import re
import sys
import tomllib
from pathlib import Path


def expand(project: dict, extras: list[str]) -> list[str]:
    """Requirements of the project and of its extras; an extra that names other extras of the project is followed."""
    found, seen, wanted = list(project["dependencies"]), set(), list(extras)
    while wanted:
        extra = wanted.pop(0)
        if extra in seen:
            continue
        seen.add(extra)
        for requirement in project["optional-dependencies"][extra]:
            own = re.fullmatch(rf"{project['name']}\[(.+)\]", requirement)
            if own:
                wanted += own[1].split(",")
            else:
                found.append(requirement)
    return list(dict.fromkeys(found))


if __name__ == "__main__":
    text = tomllib.loads(Path(sys.argv[1]).read_text())
    build = text["build-system"]["requires"]
    print("\n".join([*build, "editables", *expand(text["project"], sys.argv[2].split(","))]))
