"""The shape of what lies on disk between curation and training. Standard library only; README.md lists every field."""
