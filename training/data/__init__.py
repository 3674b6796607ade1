"""From the lake's shards, or from latents cached by `moviegen train encode`, to batches of one bucket each."""
