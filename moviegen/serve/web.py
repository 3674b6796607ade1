"""The server around the page: files of the gallery, the rules on who may ask and what a page may load, and uvicorn."""

import ipaddress
import json
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import gradio as gr
import uvicorn
from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from moviegen.serve.gallery import find_made
from moviegen.serve.page import build_page
from moviegen.serve.service import Service
from moviegen.serve.uploads import INPUTS, PICTURE_SUFFIXES, VIDEO_SUFFIXES

MAX_EVENT_BYTES = 4 << 20
"""Of what a page sends about a button, uploads aside."""

ADDRESSES = ("http:", "https:", "ftp:")

STYLE = Path(__file__).with_name("style.css")

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
        "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
"""The browser itself sees to it that nothing is asked of another machine. Gradio's own scripts are inline and compile templates."""


def make_app(service: Service, hosts: Sequence[str]) -> FastAPI:
    """The page with its files, for requests to an address or to one of these names."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(NoFilesOfOthers)
    app.add_middleware(KnownHostOnly, hosts=hosts)
    app.add_middleware(OwnPageOnly)

    @app.get("/files/{name}")
    def made(name: str) -> FileResponse:
        path = find_made(service.output, name)
        if path is None:
            raise HTTPException(404)
        return FileResponse(path)

    @app.get("/inputs/{name}")
    def upload(name: str) -> FileResponse:
        folder = service.output / INPUTS
        known = {path.name: path for path in folder.iterdir()} if folder.is_dir() else {}
        path = known.get(name)
        if path is None or path.suffix not in VIDEO_SUFFIXES + PICTURE_SUFFIXES or path.is_symlink():
            raise HTTPException(404)
        return FileResponse(path)

    system = ["system-ui", "sans-serif"]
    theme = gr.themes.Base(primary_hue="blue", font=system, font_mono=["ui-monospace", "monospace"]).set(
        block_info_text_color="*neutral_500",
        block_info_text_color_dark="*neutral_400",
        layout_gap="12px",
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_400",
    )
    page = build_page(service)
    page.has_launched = (
        True  # mounted pages never have, and until then Gradio takes any file of the machine for an upload
    )
    return gr.mount_gradio_app(
        app, page, "/", footer_links=[], run_history=False, show_error=False, ssr_mode=False, pwa=False,
        enable_monitoring=False, mcp_server=False, max_file_size=f"{service.limits.max_mb}mb", theme=theme,
        css_paths=[STYLE], blocked_paths=[str(service.output)],
    )  # fmt: skip


class KnownHostOnly:
    """Refuses requests to other names than these: an address is nobody's name, so none of them can be made to lead here."""

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self._app, self._hosts = app, frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and not self._is_known(Headers(scope=scope).get("host", "")):
            await PlainTextResponse("not a name of this machine; --allowed_hosts takes more", 400)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_known(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
            return name in self._hosts or bool(ipaddress.ip_address(name))
        except ValueError:
            return False


class NoFilesOfOthers:
    """Refuses events that name a file by a web address: Gradio would fetch it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"].rstrip("/").endswith("/upload"):
            await self._app(scope, receive, send)
            return
        body = b""
        async for part in Request(scope, receive).stream():
            body += part
            if len(body) > MAX_EVENT_BYTES:
                await PlainTextResponse("too much for an event", 413)(scope, receive, send)
                return
        if names_an_address(body):
            await PlainTextResponse("files are uploaded, not fetched", 400)(scope, receive, send)
            return
        parts: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return parts.pop() if parts else await receive()

        await self._app(scope, again, send)


def names_an_address(body: bytes) -> bool:
    """Does a JSON text hold an object whose `path` is a web address? (Of an upload `url` is one, of this page.)"""
    try:
        pending = [json.loads(body)] if body else []
    except (ValueError, RecursionError):
        return False  # no event either
    while pending:
        found = pending.pop()
        if isinstance(found, dict):
            if str(found.get("path")).strip().lower().startswith(ADDRESSES):
                return True
            pending += found.values()
        elif isinstance(found, list):
            pending += found
    return False


class OwnPageOnly:
    """Refuses requests that another site's page sends, and says with every answer what a page may load."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != headers.get("host"):
            await PlainTextResponse("asked by another site's page", 403)(scope, receive, send)
            return

        async def send_with(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, send_with)


def run_app(service: Service, listener: socket.socket, hosts: Sequence[str], ready: Callable[[], None]) -> None:
    """Serves until a signal comes; `ready` is called once the page answers."""
    config = uvicorn.Config(
        make_app(service, hosts),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )
    _Server(config, ready).run(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()
