"""`moviegen serve`: a web page of the products on this machine."""

import ipaddress
import os
import re
import socket
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from moviegen.config import console, parse_config
from moviegen.errors import UsageError

LOCALHOST = "127.0.0.1"


@dataclass(frozen=True)
class ServeConfig:
    """What is on the page, and who may see it."""

    model: Path | None = None
    """Folder of a video model: text to image, text to video."""
    upsampler: Path | None = None
    """Folder of an upsampler."""
    audio_model: Path | None = None
    """Folder of a soundtrack model."""
    edit_model: Path | None = None
    """Folder of an editing model."""
    personal_model: Path | None = None
    """Folder of a personalisation model."""
    runs: Path | None = None
    """Folder that `moviegen train run` has filled: the last finished model of each kind in it, where none is named."""
    output: Path = Path("generated")
    """Folder of what is made; the gallery shows what lies there."""
    host: str = LOCALHOST
    """Address to listen at. Any but this machine's own wants --open_to_network."""
    port: int = 7860
    """0: any that is free."""
    open_to_network: bool = False
    """Whoever reaches this machine may use the page: there is no password, and the gallery is everybody's."""
    allowed_hosts: tuple[str, ...] = ()
    """Names that the page answers to beside addresses and this machine's own names: those of a proxy, as [films.example.org]."""
    max_upload_mb: int = 200
    """Largest file that is taken."""
    max_upload_s: float = 120.0
    """Longest video that is taken, seconds."""
    max_waiting: int = 20
    """Jobs that may wait."""
    keep_models: int = 3
    """Models that stay loaded; of more, the one that was not used for longest goes."""
    device: str = "auto"
    """cpu, cuda, or auto: cuda where there is one."""
    dry_run: bool = False
    """Say what would be served and where; load no weights, listen nowhere, write nothing."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise UsageError(f"--port is {self.port}, wanted 0..65535")
        for name in ("max_upload_mb", "max_upload_s", "max_waiting", "keep_models"):
            if not getattr(self, name) > 0:
                raise UsageError(f"--{name} is {getattr(self, name)}, wanted more than 0")
        for name in self.allowed_hosts:
            if not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
                raise UsageError(
                    f"--allowed_hosts {name!r}: wanted names of hosts without port, as films.example.org; any host is none"
                )
        if not is_own(self.host) and not self.open_to_network:
            raise UsageError(
                f"--host {self.host}: others on the network could use the page, which has no password; --host {LOCALHOST} is this "
                "machine alone, and --open_to_network says that it shall be so"
            )


def is_own(host: str) -> bool:
    """Can this address be reached from this machine alone? Raises UsageError on what is no address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.IPv4Address(host).is_loopback
    except ValueError as error:
        raise UsageError(f"--host {host}: wanted an IPv4 address, as {LOCALHOST}, or localhost") from error


def host_names(config: ServeConfig) -> list[str]:
    """Names that the page answers to; never any, or another site's name could be made to lead here (DNS rebinding)."""
    own = [socket.gethostname(), socket.getfqdn()] if config.open_to_network else []
    return [name.lower() for name in dict.fromkeys(["localhost", config.host, *own, *config.allowed_hosts])]


def main(argv: Sequence[str]) -> int:
    """Serves until it is stopped by Ctrl-C."""
    config, _ = parse_config(
        ServeConfig,
        argv,
        prog="moviegen serve",
        summary="A web page of the products, for this machine alone: generate, upsample, add sound, edit, personalize, and a gallery.",
        examples=(
            "moviegen serve --runs runs/tiny",
            "moviegen serve --model runs/04_t2v/model --audio_model runs/audio/model --upsampler runs/upsampler/model --output clips",
            "moviegen serve --runs runs --port 0 --dry-run           # what would be served, and where",
            "ssh -L 7860:127.0.0.1:7860 HOST                         # the page of another machine, through a tunnel",
        ),
    )
    from moviegen.pipelines.generate_cli import choose_device
    from moviegen.serve.models import FLAGS, choose_models

    models = choose_models({flag: getattr(config, flag) for flag in FLAGS}, config.runs)
    device = choose_device(config.device)
    chatter = console()
    for flag, folder in models.items():
        chatter.print(f"{flag}: {folder}", markup=False)
    if config.open_to_network:
        chatter.print("warning: open to the network, without a password: whoever reaches this machine may use the page")
    with listen(config.host, config.port) as listener:
        address = f"http://{config.host}:{listener.getsockname()[1]}"
        if config.dry_run:
            chatter.print(f"would serve at {address}, on {device}, into {config.output}", markup=False)
            return 0
        listener.listen(128)
        serve(config, models, device, listener, address)
    return 0


def listen(host: str, port: int) -> socket.socket:
    """A socket that has the port. Raises UsageError when another program has it, or it may not be had."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise UsageError(
            f"--port {port}: {host} does not give it ({error.strerror}): another program may have it; --port 0 takes any that is free"
        ) from error
    return listener


def serve(config: ServeConfig, models: dict[str, Path], device: str, listener: socket.socket, address: str) -> None:
    """Serves the page on the socket until a signal comes."""
    with tempfile.TemporaryDirectory(prefix="moviegen-serve-") as cache:
        be_silent(cache)
        from moviegen.serve.jobs import JobQueue
        from moviegen.serve.pool import ModelPool
        from moviegen.serve.service import Service
        from moviegen.serve.uploads import UploadLimits
        from moviegen.serve.web import run_app

        queue = JobQueue(config.max_waiting)
        limits = UploadLimits(config.max_upload_mb, config.max_upload_s)
        service = Service(models, config.output.absolute(), device, limits, queue, ModelPool(config.keep_models))
        hosts = host_names(config)
        try:
            run_app(service, listener, hosts, lambda: print(address, flush=True))
        finally:
            service.close()
            print("stopped", file=sys.stderr)


def be_silent(cache: str) -> None:
    """Before Gradio is imported: it and what it brings ask nobody anything, and uploads go into a folder that is removed."""
    os.environ |= {
        "GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": cache, "GRADIO_SHARE": "False", "GRADIO_SSR_MODE": "False",
        "GRADIO_MCP_SERVER": "False", "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1",
    }  # fmt: skip
