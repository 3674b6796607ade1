"""The only place that opens media: probe, read, write, limits, and a worker that a hostile file cannot take the job down with."""
