"""Importable test builders: the toy world in which everything is known, its oracle, and lakes made without Spark."""
