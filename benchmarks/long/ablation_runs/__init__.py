"""What `world_ablations.py` trains beside the product's own modules: the other side of two of the paper's choices."""
