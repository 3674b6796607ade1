"""Movie Gen for everyone: contracts, maths, models and generation. Imports neither curation nor training."""

__version__ = "0.1.0"
