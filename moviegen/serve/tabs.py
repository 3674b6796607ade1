"""A product's tab: its form, the files it reads, the buttons, and what came of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from moviegen.errors import MovieGenError
from moviegen.serve import markup
from moviegen.serve.forms import FormField, label_of
from moviegen.serve.products import Product
from moviegen.serve.service import Service
from moviegen.serve.uploads import suffixes_of, take_upload

QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
"""Of every event: jobs have a queue of their own, and nobody but the page calls."""

PICK = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-name], button[data-more], button[data-job]');
  if (button) trigger('click', {...button.dataset});
});
"""
"""Tells the server which button in a piece of HTML was pressed."""


@dataclass(frozen=True)
class Slot:
    """A file that a form reads: uploaded, or taken from the gallery."""

    name: str
    upload: gr.File
    preview: gr.HTML
    path: gr.State
    """Where the checked file lies, as text."""


@dataclass(frozen=True)
class Watched:
    """A place where the job is seen that was asked for there last."""

    current: gr.State
    """Its number."""
    view: gr.HTML
    shown: gr.State
    """What `view` shows, so that a film that plays is left alone."""


@dataclass(frozen=True)
class TabParts:
    """What other parts of the page need of a tab."""

    product: Product
    job: Watched
    slots: tuple[Slot, ...]


def product_tab(service: Service, product: Product) -> TabParts | None:
    """Builds the tab; one without a model cannot be opened, and gives None."""
    form = service.forms.get(product.name)
    with gr.Tab(product.title, id=product.name, interactive=form is not None, elem_id=f"tab-{product.name}"):
        if form is None:
            return None
        with gr.Row(equal_height=False):
            with gr.Column(scale=5, min_width=300):
                slots = tuple(_slot(service, product, name) for name in product.inputs)
                components = _components(form, product)
                with gr.Row():
                    make = gr.Button(product.verb, variant="primary", elem_id=f"make-{product.name}")
                    cancel = gr.Button("Cancel", elem_id=f"cancel-{product.name}")
            with gr.Column(scale=5, min_width=300):
                view = gr.HTML(markup.job_view(None, 0), elem_id=f"view-{product.name}")
        # inside the tab: Gradio counts whatever else lies between tabs as a tab
        job_seen = Watched(gr.State(None), view, gr.State(""))
    names = [field.name for field in form]

    def start(*given: Any) -> tuple[Any, ...]:
        values, paths = dict(zip(names, given, strict=False)), given[len(names) :]
        files = {slot.name: Path(path) if path else None for slot, path in zip(slots, paths, strict=True)}
        try:
            job = service.start(product, values, files)
        except MovieGenError as error:
            return None, markup.note(str(error), is_error=True), ""
        text = markup.job_view(job, service.queue.num_before(job))
        return job.number, text, text

    outputs = [job_seen.current, job_seen.view, job_seen.shown]
    make.click(start, [*components, *(slot.path for slot in slots)], outputs, **QUIET)
    make.click(None, js=scroll_to(f"view-{product.name}"))
    cancel.click(service.queue.cancel, [job_seen.current], None, **QUIET)
    return TabParts(product, job_seen, slots)


def scroll_to(elem_id: str) -> str:
    """Script that brings a place into sight: on a phone it is below the form."""
    return f"() => document.getElementById('{elem_id}')?.scrollIntoView({{behavior: 'smooth', block: 'nearest'}})"


def _components(form: list[FormField], product: Product) -> list[gr.components.Component]:
    """The settings in rows of two, sentences over the whole width; the rarer ones folded away."""
    made = [*_rows([field for field in form if field.name in product.usual], product)]
    rare = [field for field in form if field.name in product.more]
    if rare:
        with gr.Accordion("More settings", open=False, elem_id=f"more-{product.name}"):
            made += _rows(rare, product)
    return made


def _rows(form: list[FormField], product: Product) -> list[gr.components.Component]:
    made, pending = [], [*form]
    while pending:
        pair = pending[:2] if pending[0].kind != "prose" and pending[1:] and pending[1].kind != "prose" else pending[:1]
        pending = pending[len(pair) :]
        with gr.Row(equal_height=False):
            made += [_component(field, f"{product.name}-{field.name}") for field in pair]
    return made


def _component(field: FormField, elem_id: str) -> gr.components.Component:
    about: dict[str, Any] = {
        "label": field.label, "info": field.info, "value": field.default, "elem_id": elem_id, "min_width": 160,
    }  # fmt: skip
    if field.kind == "switch":
        return gr.Checkbox(**about | {"value": bool(field.default)})
    if field.kind == "choice":
        return gr.Dropdown([(each or "Default", each) for each in field.choices], **about)
    if field.kind in ("whole", "number") and field.default is not None:  # an empty number would be sent as 0
        return gr.Number(**({"precision": 0} if field.kind == "whole" else {"step": 0.1}), **about)
    return gr.Textbox(placeholder=field.placeholder, lines=2 if field.kind == "prose" else 1, **about)


def _slot(service: Service, product: Product, name: str) -> Slot:
    kind, limits, elem_id = product.inputs[name], service.limits, f"{product.name}-{name}"
    suffixes = list(suffixes_of(kind))
    long = f", {limits.max_s:g} s" if kind != "picture" else ""
    label = f"{label_of(name)}: a {kind}, at most {limits.max_mb} MB{long}"
    upload = gr.File(label=label, file_types=suffixes, type="filepath", height=120, elem_id=f"upload-{elem_id}")
    slot = Slot(name, upload, gr.HTML("", elem_classes="mg-input", elem_id=f"input-{elem_id}"), gr.State(""))

    def take(path: str | None) -> tuple[Any, ...]:
        try:
            kept = take_upload(Path(path or ""), kind, service.output, limits, service.checker)
        except MovieGenError as error:
            return markup.note(str(error).replace(str(path), Path(path or "").name), is_error=True), "", None
        return markup.kept_input(kept, service.output), str(kept), gr.skip()

    upload.upload(take, [upload], [slot.preview, slot.path, upload], **QUIET)
    upload.clear(lambda: ("", ""), None, [slot.preview, slot.path], **QUIET)
    return slot
