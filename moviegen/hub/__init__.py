"""Model folders as the hub wants them: files of bounded size with an index, and a model card."""
