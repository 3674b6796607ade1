"""Mistakes that people make: each ends with its exit code, names its cause and what to type next, and shows no traceback."""

import re
import shlex

import pytest

from moviegen.cli import main

NEXT = re.compile(
    r"moviegen \w+ |moviegen \w+$|--[\w.]+|did you mean|Put .+ there|type the same command",
    re.IGNORECASE | re.MULTILINE,
)
"""What to do next: a command, a flag, the name that was meant, or what to put where."""

DEMO = "curate run --config {configs}/curation/demo.yaml --lake {root}/new"
RUN = "curate run --input {root}/ours --lake {root}/new"
RECIPE = "train run {configs}/recipes/tiny.yaml --output {root}/r --lake {root}"
STAGE = "train fit --config {configs}/training/tae/01_64px.yaml --output {root}/r"
GENERATE = "generate --prompt x --output {root}/x.mp4 --model"

MISTAKES = {
    "a verb mistyped": ("curat run", 2, "curat.*curate"),
    "a verb of curate mistyped": ("curate rnu", 2, "rnu.*run"),
    "a verb of train mistyped": ("train fitt", 2, "fitt.*fit"),
    "a verb of eval mistyped": ("eval rnu", 2, "rnu.*run"),
    "a verb of eval ab mistyped": ("eval ab mak", 2, "mak.*make"),
    "a verb of eval vbench mistyped": ("eval vbench exprt", 2, "exprt.*export"),
    "a key mistyped in a file": (RUN + " --config {root}/typo.yaml", 2, "typo.yaml.*spilt.*split"),
    "a flag mistyped": (RUN + " --split.max_clp_s 8", 2, "max_clp_s.*max_clip_s"),
    "a wrong type": (RUN + " --split.max_clip_s many", 2, "max_clip_s: wanted a number, got many"),
    "a number out of range": (RUN + " --score.explore_fraction 7", 2, "explore_fraction.*0..1"),
    "YAML that cannot be read": (RUN + " --config {root}/bad.yaml", 2, "bad.yaml"),
    "YAML that holds a list": (RUN + " --config {root}/list.yaml", 2, "list.yaml"),
    "a config that is not there": (RUN + " --config nope.yaml", 2, "nope.yaml"),
    "a folder where a config is wanted": (RUN + " --config {root}/empty", 2, "empty"),
    "a wrong path": ("curate run --input nowhere --lake {root}/new", 2, "nowhere.*no such folder"),
    "an empty folder": (DEMO + " --input {root}/empty", 2, "empty"),
    "no input": (DEMO, 2, "--input"),
    "no lake given": ("curate run --input {root}/ours", 2, "--lake"),
    "a rule's key mistyped": (RUN + " --filter.rules {root}/rules.yaml", 2, "metrik.*metric"),
    "rules that are not there": (RUN + " --filter.rules nope.yaml", 2, "nope.yaml"),
    "a rule on what nobody measures": (RUN + " --filter.rules {root}/unmeasured.yaml", 2, "unmeasured.yaml.*beauty.score"),
    "no config": (RUN, 2, "paper.yaml.*ocr.max_score.*configs/curation/demo.yaml"),
    "a detector mistyped": (RUN + " --score.detectors '{mottion: {}}'", 2, "mottion.*motion"),
    "no weights": (RUN + " --config {configs}/curation/paper.yaml", 2, "no file weights/ViT.*Put open_clip weights"),
    "a lake that is not there": ("stats {root}/nowhere", 2, "nowhere.*no such"),
    "a folder that is no lake": ("stats {root}/empty", 2, "empty.*no lake"),
    "a file where a lake is wanted": ("stats {root}/note.txt", 2, "note.txt"),
    "a view mistyped": ("stats {root}/lake funel", 2, "funel.*funnel"),
    "an unknown table": ("stats {root}/lake 'select * from scors'", 2, "scors.*scores"),
    "an unknown column": ("stats {root}/lake 'select sizee from shards'", 2, "sizee"),
    "SQL that is none": ("stats {root}/lake 'selekt 1'", 2, "selekt"),
    "a query that would write": ("stats {root}/lake 'drop table shards'", 2, "only read here, which DROP"),
    "a lost tar": ("curate check {root}/broken_lake", 4, r"\.tar"),
    "an unknown clip": ("curate explain {root}/lake 0123456789", 2, "0123456789"),
    "a rule that is no rule": ("curate whatif {root}/lake 'motion.vmaf >> 2'", 2, "motion.vmaf"),
    "a shard pattern where a lake is wanted": (RECIPE + "/lake/shards/*.tar", 2, "tar"),
    "a recipe without what it needs": ("train run {configs}/recipes/edit_tiny.yaml --lake {root}/lake --output {root}/r", 2, "--needs"),
    "a stage's name mistyped": (RECIPE + "/lake --steps.tae 3", 2, "tae_64px"),
    "a recipe that is not there": ("train run nope.yaml --lake {root}/lake --output {root}/r", 2, "nope.yaml"),
    "a stage where a recipe is wanted": ("train run {configs}/training/tae/01_64px.yaml --output r --lake {root}/lake", 2, "no recipe"),
    "a stage without a lake": (STAGE, 2, "--data.lake"),
    "a stage's lake that is not there": (STAGE + " --data.lake {root}/nowhere", 2, "nowhere"),
    "a wrong number of GPUs": ("train plan {configs}/models/video_dit/tiny.yaml --gpus 7 --mesh shard=8", 2, "8 GPUs, --gpus says 7"),
    "an unknown GPU": ("train plan {configs}/models/video_dit/30b.yaml --gpu h1000", 2, "h1000.*h100"),
    "no prompt": ("generate --model {root}/no_weights --output x.mp4", 2, "--prompt"),
    "an output of no known kind": ("generate --model {root}/no_weights --prompt x --output x.avi", 2, "x.avi.*mp4"),
    "a file of prompts without any": ("generate --model {root}/no_weights --output o --prompts_file {root}/prompts.txt", 2, "prompts"),
    "a model that is not there": (GENERATE + " {root}/nowhere", 2, "nowhere: no such folder"),
    "a folder that is no model": (GENERATE + " {root}/empty", 2, "empty.*model_index.json"),
    "a model's index that is cut off": (GENERATE + " {root}/torn", 2, "model_index.json"),
    "another product's model": (GENERATE + " {root}/upsampler", 2, "VideoPipeline, got.*moviegen upsample"),
    "an impossible size": (GENERATE + " {root}/no_weights --width 7", 2, "7"),
    "a frame rate that is none": (GENERATE + " {root}/no_weights --fps fast", 2, "fast"),
    "a model without weights": (GENERATE + " {root}/no_weights", 2, "no_weights"),
    "a device that is not there": (GENERATE + " {root}/no_weights --device cuda:9", 2, "cuda:9"),
    "a model for another verb": ("upsample {root}/ours/a.mp4 --output {root}/x.mp4 --model {root}/no_weights", 2, "no_weights"),
    "a file that is no video": ("reproduce {root}/fake.mp4", 2, "fake.mp4"),
    "a video without a recipe": ("reproduce {root}/ours/a.mp4", 2, "a.mp4.*recipe"),
    "an unknown suite": ("eval run tea {root}/ours --output {root}/e", 2, "tea"),
    "an unknown metric": ("eval run tae {root}/ours --reference {root}/ours --metrics [psnrr] --output {root}/e", 2, "psnrr.*psnr"),
    "a reference with other names": ("eval run tae {root}/ours --reference {root}/theirs --output {root}/e1", 3, "failed"),
    "mixed frame rates": ("eval run tae {root}/ours --reference {root}/faster --metrics [psnr] --output {root}/e2", 3, "failed"),
    "nothing to measure": ("eval run tae {root}/empty --reference {root}/ours --output {root}/e3", 2, "empty"),
    "an empty reference": ("eval run tae {root}/ours --reference {root}/empty --output {root}/e4", 2, "empty"),
    "a study of files with other names": ("eval ab make {root}/ours {root}/theirs --output {root}/study", 2, "ours|theirs|pair"),
    "sizes that are not there": ("models {root}/nowhere", 2, "nowhere"),
    "an unknown shell": ("completion tcsh", 2, "tcsh|bash"),
    "nowhere to write": ("world /sys/toy --num_clips 1 --faults false", 5, "/sys/toy"),
    "a file where a folder is to be written": ("world {root}/note.txt --num_clips 1", 2, "note.txt"),
}  # fmt: skip
"""What was typed wrong -> (command, exit code, its cause as the message names it)."""


def test_there_are_thirty_and_more():
    assert len(MISTAKES) >= 30


def run(capsys, things, line: str) -> tuple[int, str]:
    line = line.replace("{root}", str(things.root)).replace("{configs}", str(things.configs))
    try:
        code = main(shlex.split(line))
    except SystemExit as left:
        code = left.code
    return code, capsys.readouterr().err


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_its_cause_and_what_to_do(capsys, things, name):
    line, code, cause = MISTAKES[name]
    ended, said = run(capsys, things, line)
    assert ended == code, said
    assert re.search(cause, said, re.DOTALL), said
    assert NEXT.search(said), said
    assert "Traceback" not in said
