"""Tiny stages met by faults: what `training_faults.py` is made of."""
