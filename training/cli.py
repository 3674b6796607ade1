"""The verb `moviegen train`."""

from moviegen.cli import Command

TRAIN = Command("train", "shards to weights: fit, validate, run, encode, export", "training.cli:train", "training")
