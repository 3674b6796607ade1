"use strict";
const study = JSON.parse(document.getElementById("study").textContent);
const at = (id) => document.getElementById(id);
const make = (tag, values = {}, ...inside) => {
  const node = Object.assign(document.createElement(tag), values);
  node.append(...inside);
  return node;
};

// What is kept between visits: one record a sheet. A browser may forbid it; then it lives as long as the page.
const kept = {
  name: (sheet) => `ab-study:${study.id}:${sheet}`,
  works: (() => { try { localStorage.setItem("ab-study", "1"); return localStorage.getItem("ab-study") === "1"; } catch { return false; } })(),
  load(sheet) { try { return JSON.parse(localStorage.getItem(this.name(sheet))); } catch { return null; } },
  save(sheet, state) { try { localStorage.setItem(this.name(sheet), JSON.stringify(state)); } catch { this.works = false; } },
};

let sheet = 1, state = null, place = 0, focus = 0, shownAt = 0, players = [];
const trials = () => study.sheets[sheet - 1];
const axesOf = (trial) => trial.axes.map((index) => study.axes[index]);
const votesOf = (trial) => (state.votes[trial.id] ??= {});
const isDone = (trial) => state.left_out[trial.id] || axesOf(trial).every((axis) => votesOf(trial)[axis.name]);
const random = () => Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");

function start() {
  study.sheets.forEach((rows, index) => at("sheet").append(make("option", { value: index + 1, textContent: `${index + 1}` })));
  const wanted = Number(new URLSearchParams(location.search).get("sheet") || location.hash.slice(1));
  if (wanted >= 1 && wanted <= study.sheets.length) at("sheet").value = wanted;
  for (const axis of study.axes) at("definitions").append(make("dt", { textContent: `${axis.title}: ${axis.question}` }), make("dd", { textContent: axis.definition }));
  at("no-store").hidden = kept.works;
  at("sheet").onchange = describeSheet;
  describeSheet();
  at("begin").onclick = begin;
}

function describeSheet() {
  const number = Number(at("sheet").value), old = kept.load(number), rows = study.sheets[number - 1];
  const done = old ? rows.filter((trial) => old.left_out[trial.id] || Object.keys(old.votes[trial.id] || {}).length === trial.axes.length).length : 0;
  at("sheet-note").textContent = `${rows.length} pairs${done ? `, ${done} answered: you go on where you were` : ""}`;
}

function begin() {
  sheet = Number(at("sheet").value);
  state = kept.load(sheet) || { person: random(), started: new Date().toISOString(), votes: {}, left_out: {}, seconds: {} };
  place = trials().findIndex((trial) => !isDone(trial));
  if (place < 0) return finish();
  show("trial");
  showTrial();
}

function show(name) { for (const id of ["start", "trial", "end"]) at(id).hidden = id !== name; }

function showTrial() {
  const trial = trials()[place], item = study.items[trial.item];
  focus = 0;
  shownAt = performance.now();
  at("broken").hidden = true;
  at("prompt").replaceChildren(item.prompt || "", ...(item.sound ? [make("small", { textContent: `Sound: ${item.sound}` })] : []));
  at("reference").hidden = !item.reference;
  at("reference").replaceChildren(...(item.reference ? [medium(item.kind, item.reference), make("div", { className: "note", textContent: "given" })] : []));
  at("left").replaceChildren(medium(item.kind, trial.left));
  at("right").replaceChildren(medium(item.kind, trial.right));
  players = [at("left").firstChild, at("right").firstChild];
  at("controls").hidden = item.kind === "image";
  for (const id of ["left-sound", "right-sound", "mute"]) at(id).hidden = !study.sound;
  if (item.kind === "video" && !study.sound) { players.forEach((player) => { player.onended = again; }); replay(); }
  showAxes();
  preload();
}

function medium(kind, file) {
  const tag = { video: "video", image: "img", sound: "audio" }[kind];
  const node = make(tag, { src: `media/${file}` });
  if (kind !== "image") Object.assign(node, { muted: true, playsInline: true, preload: "auto" });
  if (kind === "sound") node.controls = true;
  node.onerror = () => { at("broken").hidden = false; update(); };
  return node;
}

// The next pair is fetched while this one is watched.
function preload() {
  const next = trials()[place + 1];
  if (next) for (const file of [next.left, next.right]) { const node = medium(study.items[next.item].kind, file); node.onerror = null; }
}

function showAxes() {
  const trial = trials()[place];
  at("axes").replaceChildren(...axesOf(trial).map((axis, index) => {
    const choice = (answer, words, key) => make("button", { className: "answer", textContent: `${words} (${key})`, onclick: () => vote(index, answer) });
    const buttons = { left: choice("left", "Left", 1), tie: choice("tie", "About the same", 0), right: choice("right", "Right", 2) };
    for (const [answer, button] of Object.entries(buttons)) { button.dataset.answer = answer; button.setAttribute("role", "radio"); }
    const why = make("div", { className: "why" }, ...axis.reasons.map((reason) => {
      const box = make("input", { type: "checkbox", checked: (votesOf(trial)[axis.name]?.reasons || []).includes(reason) });
      box.onchange = () => tick(axis.name, reason, box.checked);
      box.dataset.reason = reason;
      return make("label", {}, box, ` ${reason}`);
    }));
    const question = make("div", { className: "question" }, axis.question, make("small", { textContent: axis.definition }));
    const row = make("div", { className: "axis", onclick: () => { focus = index; update(); } },
      make("div", { className: "row" }, question, buttons.left, buttons.tie, buttons.right), why);
    row.dataset.axis = axis.name;
    return row;
  }));
  update();
}

function vote(index, answer) {
  const trial = trials()[place], axis = axesOf(trial)[index];
  const reasons = votesOf(trial)[axis.name]?.reasons || [];
  votesOf(trial)[axis.name] = { answer, reasons, at: new Date().toISOString() };
  delete state.left_out[trial.id];
  focus = Math.min(index + 1, trial.axes.length - 1);
  keep();
  update();
  at("axes").children[focus].scrollIntoView({ block: "nearest" });
}

function tick(name, reason, isOn) {
  const entry = votesOf(trials()[place])[name];
  if (!entry) return;
  entry.reasons = isOn ? [...entry.reasons, reason] : entry.reasons.filter((other) => other !== reason);
  entry.at = new Date().toISOString();
  keep();
}

function keep() { kept.save(sheet, state); }

function update() {
  const trial = trials()[place], axes = axesOf(trial);
  [...at("axes").children].forEach((row, index) => {
    const answer = votesOf(trial)[axes[index].name]?.answer;
    row.classList.toggle("now", index === focus);
    for (const button of row.querySelectorAll("button")) button.setAttribute("aria-checked", String(button.dataset.answer === answer));
    for (const box of row.querySelectorAll("input")) box.disabled = !answer;
  });
  const open = axes.filter((axis) => !votesOf(trial)[axis.name]).length, isBroken = !at("broken").hidden;
  at("next").disabled = open > 0 && !isBroken;
  at("next").textContent = place === trials().length - 1 ? "Finish" : "Next";
  at("back").disabled = place === 0;
  at("missing").textContent = open ? `${open} question${open > 1 ? "s" : ""} left` : "";
  const done = trials().filter(isDone).length;
  at("count").textContent = `Pair ${place + 1} of ${trials().length}`;
  Object.assign(at("progress"), { value: done, max: trials().length });
}

function next() {
  const trial = trials()[place];
  if (at("next").disabled) return;
  if (!axesOf(trial).every((axis) => votesOf(trial)[axis.name])) state.left_out[trial.id] = "could not be played";
  spend(trial);
  if (place < trials().length - 1) { place += 1; showTrial(); scrollTo(0, 0); } else finish();
}

function back() { if (place > 0) { spend(trials()[place]); place -= 1; showTrial(); } }

function spend(trial) {
  state.seconds[trial.id] = Math.round(10 * ((state.seconds[trial.id] || 0) + (performance.now() - shownAt) / 1000)) / 10;
  keep();
}

function finish() {
  players.forEach((player) => player.pause?.());
  const open = trials().filter((trial) => !isDone(trial)).length, out = Object.keys(state.left_out).length;
  at("summary").textContent = `${trials().length - open} of ${trials().length} pairs answered${out ? `, ${out} of them left out because they could not be played` : ""}.`;
  show("end");
}

// Both from the same moment; with sound one at a time.
function replay() { players.forEach((player) => { if (player.play) player.currentTime = 0; }); if (!study.sound) playBoth(); else alone(0); }
// Both once more when both have come to their end: looping each by itself, they would drift apart.
function again() { if (players.every((player) => player.ended)) replay(); }
function playBoth() { players.forEach((player) => player.play?.()?.catch(() => {})); }
function playPause() {
  if (!players[0].play) return;
  if (players.some((player) => !player.paused)) players.forEach((player) => player.pause());
  else if (study.sound) alone(players[1].muted ? 0 : 1);
  else { players[1].currentTime = players[0].currentTime; playBoth(); }
}
function alone(index) {
  if (!players[0].play) return;
  players.forEach((player, other) => { player.muted = other !== index; if (other !== index) player.pause(); });
  players[index].currentTime = 0;
  players[index].play().catch(() => {});
}
function mute() { players.forEach((player) => { player.muted = true; }); }

function rows() {
  return trials().flatMap((trial) => axesOf(trial).filter((axis) => votesOf(trial)[axis.name]).map((axis) => {
    const { answer, reasons, at: when } = votesOf(trial)[axis.name];
    return { trial: trial.id, item: trial.item, axis: axis.name, answer, reasons, seconds: state.seconds[trial.id] ?? null, at: when };
  }));
}

function record() {
  return { format: study.votes_format, study: study.id, sheet, person: state.person, started: state.started, exported: new Date().toISOString(),
    num_trials: trials().length, left_out: state.left_out, votes: rows() };
}

function csv() {
  const cell = (value) => `"${String(value ?? "").replaceAll('"', '""')}"`;
  const head = ["study", "sheet", "person", "trial", "item", "axis", "answer", "reasons", "seconds", "at"];
  const lines = rows().map((row) => [study.id, sheet, state.person, row.trial, row.item, row.axis, row.answer, row.reasons.join("; "), row.seconds, row.at]);
  return [head, ...lines].map((line) => line.map(cell).join(",")).join("\r\n") + "\r\n";
}

function save(text, suffix, type) {
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type })), download: `votes_${study.id}_sheet${sheet}_${state.person}.${suffix}` });
  document.body.append(link);
  link.click();
  link.remove();
}
const saveJson = () => save(JSON.stringify(record(), null, 1) + "\n", "json", "application/json");

const keys = {
  1: () => vote(focus, "left"), 2: () => vote(focus, "right"), 0: () => vote(focus, "tie"),
  ArrowUp: () => { focus = Math.max(0, focus - 1); update(); }, ArrowDown: () => { focus = Math.min(trials()[place].axes.length - 1, focus + 1); update(); },
  Enter: next, Backspace: back, " ": playPause, r: replay, l: () => alone(0), k: () => alone(1), m: mute,
};
addEventListener("keydown", (event) => {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (at("trial").hidden || event.ctrlKey || event.metaKey || event.altKey || !keys[key]) return;
  if (event.target.matches("select") || (event.target.matches("input") && key === " ")) return;
  event.preventDefault();
  keys[key]();
});
Object.entries({ play: playPause, replay, "left-sound": () => alone(0), "right-sound": () => alone(1), mute, next, back, "save-now": saveJson, "save-json": saveJson,
  "save-csv": () => save(csv(), "csv", "text/csv"), again: () => { place = 0; show("trial"); showTrial(); } }).forEach(([id, act]) => { at(id).onclick = act; });
start();
