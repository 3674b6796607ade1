"use strict";
// Everything is readable without this: it searches captions, enlarges clips, and listens to keys.
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const sections = $$("main section[id]");
const links = new Map($$("nav a").map((link) => [link.hash.slice(1), link]));

function here() {
  const passed = sections.filter((each) => each.getBoundingClientRect().top < innerHeight / 3);
  return passed.length ? passed.length - 1 : 0;
}

function markHere() {
  const now = sections[here()];
  for (const [id, link] of links) {
    if (now && id === now.id) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

function go(step) {
  const target = sections[Math.max(0, Math.min(sections.length - 1, here() + step))];
  if (!target) return;
  target.scrollIntoView({ behavior: "instant" });
  target.focus({ preventScroll: true });
  markHere();
}

// ---- captions
const search = $("#search");
const lines = $$("ul.captions li");
const texts = lines.map((line) => line.textContent.toLowerCase());
const bodies = lines.map((line) => $(".text", line));
const originals = bodies.map((body) => body.textContent);

function highlight(body, text, words) {
  const parts = [];
  const lower = text.toLowerCase();
  let at = 0;
  while (at < text.length) {
    let start = -1, length = 0;
    for (const word of words) {
      const found = lower.indexOf(word, at);
      if (found >= 0 && (start < 0 || found < start)) [start, length] = [found, word.length];
    }
    if (start < 0) break;
    parts.push(text.slice(at, start));
    const mark = document.createElement("mark");
    mark.textContent = text.slice(start, start + length);
    parts.push(mark);
    at = start + length;
  }
  body.replaceChildren(...parts, text.slice(at));
}

function find() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  lines.forEach((line, place) => {
    line.hidden = !words.every((word) => texts[place].includes(word));
    if (line.hidden) return;
    shown += 1;
    highlight(bodies[place], originals[place], words);
  });
  $("#found").textContent = words.length ? `${shown} of ${lines.length} captions` : `${lines.length} captions`;
}

if (search) {
  search.addEventListener("input", find);
  find();
}

// ---- a clip, large
const large = $("#large");
let opened = null;

function show(clip) {
  opened = clip;
  $(".images", large).replaceChildren(...$$("img", clip).map((image) => image.cloneNode()));
  $(".words", large).textContent = clip.dataset.words;
  $(".id", large).textContent = clip.dataset.clip;
  $(".explain", large).textContent = `moviegen curate explain LAKE ${clip.dataset.clip}`;
  if (!large.open) large.showModal();
}

function turn(step) {
  if (!opened) return;
  const clips = $$(".clip").filter((each) => each.offsetParent !== null);
  const next = clips[clips.indexOf(opened) + step];
  if (next) show(next);
}

document.addEventListener("click", (event) => {
  const clip = event.target.closest(".clip");
  if (clip) show(clip);
  const step = event.target.closest("[data-turn]");
  if (step) turn(Number(step.dataset.turn));
  if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
});

if (large) large.addEventListener("close", () => { if (opened) opened.focus(); opened = null; });

// ---- keys
const help = $("#keys");

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches("input, textarea, select");
  if (typing) {
    if (event.key === "Escape") { search.value = ""; find(); search.blur(); }
    return;
  }
  if (event.key === "Escape") { $$("dialog[open]").forEach((each) => each.close()); return; }
  if (large && large.open) {
    if (event.key === "ArrowRight" || event.key === "j") turn(1);
    if (event.key === "ArrowLeft" || event.key === "k") turn(-1);
    return;
  }
  if (help.open) { if (event.key === "?") help.close(); return; }
  if (event.key === "/" && search) { event.preventDefault(); search.scrollIntoView({ block: "center", behavior: "instant" }); search.focus(); }
  else if (event.key === "j" || event.key === "n") go(1);
  else if (event.key === "k" || event.key === "p") go(-1);
  else if (event.key === "g") { scrollTo({ top: 0, behavior: "instant" }); markHere(); }
  else if (event.key === "o") {
    const all = $$("main details");
    const open = all.some((each) => !each.open);
    all.forEach((each) => { each.open = open; });
  } else if (event.key === "?") help.showModal();
  else if (event.target.matches(".clip") && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
    const all = $$(".clip").filter((each) => each.offsetParent !== null);
    const next = all[all.indexOf(event.target) + (event.key === "ArrowRight" ? 1 : -1)];
    if (next) { event.preventDefault(); next.focus(); }
  }
});

addEventListener("scroll", markHere, { passive: true });
sections.forEach((each) => { each.tabIndex = -1; });
markHere();
