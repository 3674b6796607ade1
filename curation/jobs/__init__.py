"""The jobs: each reads a table, maps a pure function over its rows and commits a table. `parts.py` is the protocol they share."""
