"""`moviegen train report`: how fast and how well a stage or a run trains, as one page that opens from disk."""
