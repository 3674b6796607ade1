"""The whole page: a tab a product, the gallery, everybody's jobs, and a clock that keeps them true."""

from collections.abc import Sequence
from typing import Any

import gradio as gr

from moviegen.serve import markup
from moviegen.serve.gallery import list_made
from moviegen.serve.gallery_tab import GalleryParts, gallery_tab
from moviegen.serve.products import PRODUCTS
from moviegen.serve.service import Service
from moviegen.serve.tabs import PICK, QUIET, Watched, product_tab

TICK_S = 1.0
"""How often the page looks."""


def build_page(service: Service) -> gr.Blocks:
    """The page of a service."""
    with gr.Blocks(title="moviegen", analytics_enabled=False, delete_cache=(3600, 86400)) as page:
        gr.HTML("<h1>moviegen</h1>", elem_id="head")
        with gr.Tabs(selected=_first(service)) as tabs:
            found = [product_tab(service, product) for product in PRODUCTS]
            parts = [each for each in found if each is not None]
            with gr.Tab("Gallery", id="gallery", elem_id="tab-gallery"):
                gallery = gallery_tab(service, parts, tabs)
        jobs = gr.HTML("", js_on_load=PICK, elem_id="jobs")

        def cancel(event: gr.EventData) -> None:
            number = (event._data or {}).get("job")
            if str(number).isdecimal():  # whoever sends the event may put anything into it
                service.queue.cancel(int(number))

        jobs.click(cancel, None, None, **QUIET)
        _keep_true(service, page, [*(each.job for each in parts), gallery.again], jobs, gallery)
    return page


def _first(service: Service) -> str:
    """The first tab that has a model."""
    return next(product.name for product in PRODUCTS if product.name in service.forms)


def _keep_true(
    service: Service, page: gr.Blocks, views: Sequence[Watched], jobs: gr.HTML, gallery: GalleryParts
) -> None:
    """Every second, and at once when the page is opened: jobs, places, gallery. What has not changed is not sent."""
    board = gr.State("")

    def look(num_shown: int, chosen: str | None, files: str, open_jobs: str, *states: Any) -> list[Any]:
        rows = [(job, service.queue.num_before(job)) for job in service.queue.jobs()[::-1] if job.is_open]
        new = [
            (files, markup.grid(service.output, list_made(service.output), num_shown, chosen)),
            (open_jobs, markup.board(rows)),
        ]
        for number, shown in zip(states[::2], states[1::2], strict=True):
            job = service.queue.find(number)
            new.append((shown, shown if job is None else markup.job_view(job, service.queue.num_before(job))))
        return [gr.skip() if was == now else now for was, now in new for _ in range(2)]

    inputs = [gallery.num_shown, gallery.chosen, gallery.shown, board]
    outputs = [gallery.grid, gallery.shown, jobs, board]
    for each in views:
        inputs += [each.current, each.shown]
        outputs += [each.view, each.shown]
    gr.on([gr.Timer(TICK_S).tick, page.load], look, inputs, outputs, **QUIET)
