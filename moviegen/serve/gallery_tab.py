"""The tab of what lies in the output folder: look, make again, use as the input of something else."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from moviegen.errors import MovieGenError
from moviegen.serve import markup
from moviegen.serve.gallery import KINDS, find_made, read_made
from moviegen.serve.products import EITHER
from moviegen.serve.service import Service
from moviegen.serve.tabs import PICK, QUIET, Slot, TabParts, Watched, scroll_to

NUM_SHOWN = 24
"""Files that are shown at once."""


@dataclass(frozen=True)
class GalleryParts:
    """What the clock of the page needs of the tab."""

    grid: gr.HTML
    shown: gr.State
    num_shown: gr.State
    chosen: gr.State
    """Name of the file that is looked at."""
    again: Watched
    """The job that makes a file again."""


def gallery_tab(service: Service, parts: list[TabParts], tabs: gr.Tabs) -> GalleryParts:
    """Builds the tab."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=6, min_width=300):
            grid = gr.HTML("", js_on_load=PICK, elem_id="gallery")
        with gr.Column(scale=4, min_width=300, visible=False, elem_id="chosen") as side:
            detail = gr.HTML("", elem_id="detail")
            with gr.Row():
                reproduce = gr.Button("Reproduce", elem_id="reproduce")
                uses = [_use_button(each) for each in parts if each.product.inputs]
            view = gr.HTML("", elem_id="view-reproduce")
    found = GalleryParts(
        grid, gr.State(""), gr.State(NUM_SHOWN), gr.State(None), Watched(gr.State(None), view, gr.State(""))
    )

    def pick(num_shown: int, chosen: str | None, event: gr.EventData) -> list[Any]:
        name = event._data.get("name")
        path = None if name is None else find_made(service.output, str(name))
        if path is None:  # `show older`
            return [num_shown + NUM_SHOWN, *[gr.skip()] * (5 + len(uses))]
        kind = KINDS[path.suffix.lower()]
        allowed = [gr.Button(interactive=_takes(slot_kind, kind)) for _, slot_kind, _ in uses]
        return [
            num_shown,
            path.name,
            gr.Column(visible=True),
            markup.made_view(path, read_made(path, service.looker)),
            None,
            "",
            *allowed,
        ]

    buttons = [button for button, _, _ in uses]
    grid.click(
        pick, [found.num_shown, found.chosen],
        [found.num_shown, found.chosen, side, detail, found.again.current, view, *buttons], **QUIET,
    ).then(None, js=scroll_to("detail"))  # fmt: skip

    def make_again(name: str) -> tuple[Any, ...]:
        try:
            job = service.reproduce(name)
        except MovieGenError as error:
            return None, markup.note(str(error), is_error=True), ""
        text = markup.job_view(job, service.queue.num_before(job))
        return job.number, text, text

    reproduce.click(make_again, [found.chosen], [found.again.current, view, found.again.shown], **QUIET)
    for button, _, each in uses:
        _use_on_click(service, button, each, found.chosen, tabs)
    return found


def _use_button(parts: TabParts) -> tuple[gr.Button, str, TabParts]:
    """(button, kind of file it takes, the tab it leads to)."""
    kind = next(iter(parts.product.inputs.values()))
    return gr.Button(f"Use in {parts.product.title}", elem_id=f"use-{parts.product.name}"), kind, parts


def _takes(slot_kind: str, kind: str) -> bool:
    return kind in ("video", "picture") if slot_kind == EITHER else kind == slot_kind


def _use_on_click(service: Service, button: gr.Button, parts: TabParts, chosen: gr.State, tabs: gr.Tabs) -> None:
    slot: Slot = parts.slots[0]

    def use(name: str | None) -> tuple[Any, ...]:
        path = find_made(service.output, name or "")
        if path is None:
            return gr.skip(), gr.skip(), gr.skip(), gr.skip()
        return markup.kept_input(path, service.output), str(path), None, gr.Tabs(selected=parts.product.name)

    button.click(use, [chosen], [slot.preview, slot.path, slot.upload, tabs], **QUIET)
