"""The examples of `deploy/`, as far as one machine can: Kubernetes reads them, and our programs take every command line in them."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from moviegen.cli import main

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
OBJECTS = [
    (path.name, each)
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    for each in yaml.safe_load_all(path.read_text())
]
IMAGES = [DEPLOY / "Dockerfile", DEPLOY / "Dockerfile.cuda"]
IN_IMAGE = "/moviegen/share/moviegen/configs"
WORKLOADS = [each for _, each in OBJECTS if "template" in each["spec"]]


def instructions(text: str) -> list[tuple[str, str]]:
    """(name, rest) of each instruction of a Dockerfile, continued lines joined, comments left out."""
    joined = re.sub(r"\\\n\s*", "", "".join(line + "\n" for line in text.splitlines() if not line.startswith("#")))
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines() if line]


def containers():
    return [(each, container) for each in WORKLOADS for container in each["spec"]["template"]["spec"]["containers"]]


def words(container):
    """The command line of a container, what Kubernetes puts in place put in place, our configs where they lie here."""
    line = [*container["command"], *container["args"]]
    known = {"POD_IP": "127.0.0.1", "JOB_COMPLETION_INDEX": "0"}
    filled = [re.sub(r"\$\((\w+)\)", lambda found: known[found[1]], word) for word in line]
    return [word.replace(IN_IMAGE, str(ROOT / "configs")) for word in filled]


def test_there_is_an_example_of_each():
    assert {each["kind"] for _, each in OBJECTS} == {"Service", "Deployment", "Job"}
    assert {container["command"][0] for _, container in containers()} == {"spark-class", "moviegen", "torchrun"}


@pytest.mark.parametrize(("owner", "container"), containers(), ids=lambda each: each.get("name", ""))
def test_a_container_has_bounds_and_no_rights(owner, container):
    pod = owner["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert not pod["automountServiceAccountToken"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert not container["securityContext"]["allowPrivilegeEscalation"]
    assert container["resources"]["limits"]["memory"]
    assert re.fullmatch(r"moviegen:\d+\.\d+\.\d+(-cuda)?", container["image"])
    assert {mount["name"] for mount in container["volumeMounts"]} <= {volume["name"] for volume in pod["volumes"]}
    assert container["image"].split(":")[1].removesuffix("-cuda") == version()
    given = {each["name"] for each in container.get("env", [])} | {
        "JOB_COMPLETION_INDEX"
    }  # Kubernetes sets that one itself
    assert set(re.findall(r"\$\((\w+)\)", " ".join(container["args"]))) <= given


def test_services_lead_to_pods_and_names_are_of_services():
    labels = [each["spec"]["template"]["metadata"]["labels"] for each in WORKLOADS]
    services = {each["metadata"]["name"]: each for _, each in OBJECTS if each["kind"] == "Service"}
    for service in services.values():
        assert any(service["spec"]["selector"].items() <= pod.items() for pod in labels)
    text = " ".join(word for _, container in containers() for word in words(container))
    named = set(re.findall(r"spark://([\w-]+):", text)) | set(re.findall(r"master-addr=[\w-]+\.([\w-]+)", text))
    assert named == set(services)


def test_our_parsers_take_their_commands(capsys):
    for _, container in containers():
        line = words(container)
        if line[0] == "moviegen":
            with pytest.raises(SystemExit) as stop:
                main([*line[1:], "--print_config"])
            assert stop.value.code in (0, None)
            assert "batch: '2026-11-21'" in capsys.readouterr().out


def test_torchrun_and_the_stage_take_theirs(capsys):
    from torch.distributed.run import get_args_parser

    [line] = [words(container) for _, container in containers() if container["command"] == ["torchrun"]]
    given = get_args_parser().parse_args(line[1:])
    assert (given.training_script, given.module) == ("moviegen.cli", True)
    assert given.training_script_args[:2] == ["train", "fit"]
    with pytest.raises(SystemExit) as stop:
        main([*given.training_script_args, "--print_config"])
    assert stop.value.code in (0, None)
    assert yaml.safe_load(capsys.readouterr().out)["trainer"]["num_nodes"] == 2
    flags = dict(zip(given.training_script_args, given.training_script_args[1:], strict=False))
    assert int(flags["--trainer.num_nodes"]) == int(given.nnodes)
    assert int(flags["--trainer.devices"]) == int(given.nproc_per_node)
    assert int(flags["--trainer.strategy.mesh.shard"]) == int(given.nnodes) * int(given.nproc_per_node)


@pytest.mark.slow
@pytest.mark.spark
def test_spark_s_daemons_start_with_theirs(tmp_path):
    """Master and worker by their own command lines, on loopback, until the worker has registered."""
    import os

    import pyspark

    from curation.java import find_java

    home = Path(pyspark.__file__).parent
    environment = os.environ | {
        "SPARK_HOME": str(home),
        "JAVA_HOME": str(find_java().home),
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    lines = {
        container["name"]: words(container) for _, container in containers() if container["command"][0] == "spark-class"
    }
    port = free_port()
    places = {
        "7077": str(port),
        "8080": "0",
        "spark://moviegen-spark:7077": f"spark://127.0.0.1:{port}",
        "/tmp/spark": str(tmp_path),
    }
    daemons = []
    try:
        for name in ("master", "worker"):
            line = [places.get(word, word) for word in lines[name]]
            log = tmp_path / f"{name}.log"
            with open(log, "wb") as file:
                daemons.append(
                    subprocess.Popen(
                        [str(home / "bin" / line[0]), *line[1:]], env=environment, stdout=file, stderr=file
                    )
                )
            wait_for(
                log,
                {"master": "I have been elected leader", "worker": "Successfully registered with master"}[name],
                daemons,
            )
    finally:
        for daemon in daemons:
            daemon.terminate()
            daemon.wait(30)


def free_port():
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait_for(log, text, processes):
    import time

    deadline = time.monotonic() + 300
    while text not in log.read_text(errors="replace"):
        assert all(process.poll() is None for process in processes), log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
def test_an_image_is_pinned_small_and_without_root(path):
    lines = instructions(path.read_text())
    stages = [rest for name, rest in lines if name == "FROM"]
    assert all(re.match(r"python:3\.11\.\d+-slim-\w+( AS \w+)?$", stage) for stage in stages)
    users = [rest for name, rest in lines if name == "USER"]
    assert users == ["10001"]  # a number: Kubernetes can tell that it is not root
    assert [name for name, _ in lines].index("USER") > max(n for n, (name, _) in enumerate(lines) if name == "RUN")
    for name, rest in lines:
        assert name != "ADD"
        if name == "RUN" and "apt-get install" in rest:
            assert "--no-install-recommends" in rest
            assert rest.endswith("rm -rf /var/lib/apt/lists/*")
        for call in re.findall(r"pip install [^&]*", rest):
            assert "--no-cache-dir" in call
            assert "-c constraints.txt" in call or "--no-deps" in call
    [entry] = [rest for name, rest in lines if name == "ENTRYPOINT"]
    assert entry == '["moviegen"]'


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
def test_what_an_image_copies_is_there_and_let_through(path):
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line.startswith("!")}
    for name, rest in instructions(path.read_text()):
        if name == "COPY" and "--from" not in rest:
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists()
                assert source in kept
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    [wanted] = re.findall(r"requirements\.py pyproject\.toml (\S+)", path.read_text())
    assert set(wanted.split(",")) <= set(extras)


def version():
    done = subprocess.run(
        [sys.executable, "-m", "moviegen.cli", "--version"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
