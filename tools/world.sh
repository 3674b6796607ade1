#!/bin/sh
# The laboratory from films to the page: tools/world.sh FOLDER. What is done is not done again, so the same command goes on where it stopped.
set -eu

world=$1
moviegen=${MOVIEGEN:-moviegen}
recipes=configs/recipes/world

curated() { # kind, number of films
    "$moviegen" lab films "$world/films/$1" --kind "$1" --number "$2"
    "$moviegen" curate run --config configs/curation/world.yaml --input "$world/films/$1" --lake "$world/lakes/$1"
}

trained() { # recipe, lake, further flags
    recipe=$1 lake=$2
    shift 2
    "$moviegen" train run "$recipes/$recipe.yaml" --lake "$world/lakes/$lake" --output "$world/runs/$recipe" "$@"
}

curated video 6000
# a slow machine wants fewer steps: T2V_FLAGS="--steps.world_t2i 5000 --steps.world_t2v 10000"
# shellcheck disable=SC2086  # flags are words
trained t2v video ${T2V_FLAGS:-}
t2v=$world/runs/t2v/04_world_t2v/model
"$moviegen" lab table "$world/runs" --only t2i,t2v --output "$world/world.html"

curated sound 800
trained audio sound
curated large 1200
trained upsampler large
"$moviegen" lab sets "$world/lakes/edits" --kind edits --number 2000
trained edit edits --needs.t2v "$t2v"
"$moviegen" lab sets "$world/lakes/people" --kind personal --number 1600
trained personalize people --needs.t2v "$t2v"
"$moviegen" lab table "$world/runs" --output "$world/world.html"
"$moviegen" lab pack "$world/runs" --output "$world/models"
