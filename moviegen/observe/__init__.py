"""What a run tells to machines: lines of JSON, a file of metrics, lineage. All of it off unless an environment variable asks for it."""
