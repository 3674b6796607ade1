"""Shards to weights: Lightning modules, loaders, stages. Imports moviegen, never curation."""
