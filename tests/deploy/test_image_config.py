"""The config of the example Job runs on the image of the example Job."""

import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
IN_IMAGE = "/moviegen/share/moviegen/"

CHECK = """
import re, sys, tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

sys.path.insert(0, "tools")
from requirements import expand

def names(extras):
    return {re.match(r"[\\w.-]+", each)[0].lower().replace("_", "-") for each in expand(project, extras)}

project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
left_out = names([*project["optional-dependencies"]]) - names(sys.argv[1].split(","))
assert {"torch", "lightning"} <= left_out
for module, owners in packages_distributions().items():
    if {owner.lower().replace("_", "-") for owner in owners} <= left_out:
        sys.modules[module] = None

from curation.config import CurateConfig, find_files
from curation.jobs.run import JOBS, check_tools
from moviegen.config import parse_config

config, _ = parse_config(CurateConfig, sys.argv[2:], prog="", summary="", examples=[])
check_tools(find_files(config, [Path(sys.argv[3])]), list(JOBS))
"""
"""check_tools where none of the packages can be imported that an image of some extras leaves out."""


def check(config, lake):
    [extras] = re.findall(r"requirements\.py pyproject\.toml (\S+)", (ROOT / "deploy" / "Dockerfile").read_text())
    command = [sys.executable, "-c", CHECK, extras, "--config", str(ROOT / config), "--lake", str(lake)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_slim_image_can_run_the_config_of_the_job(tmp_path):
    objects = yaml.safe_load_all((ROOT / "deploy" / "kubernetes" / "spark.yaml").read_text())
    [job] = [each for each in objects if each["kind"] == "Job"]
    [container] = job["spec"]["template"]["spec"]["containers"]
    assert not container["image"].endswith("-cuda")
    config = container["args"][container["args"].index("--config") + 1].removeprefix(IN_IMAGE)
    done = check(config, tmp_path)
    assert done.returncode == 0, done.stderr


def test_it_cannot_run_the_paper_s(tmp_path):
    assert "moviegen.errors.UsageError: detector" in check("configs/curation/paper.yaml", tmp_path).stderr
