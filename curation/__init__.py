"""Raw video to shards: shots, clips, scores, filters, captions, WebDataset tars. Meets training only on disk, in the lake."""
