"""Rows of the lake's tables, for the jobs of curation; what reads and writes them is `moviegen.rows`."""

from moviegen.rows import arrow_schema, read_files, read_parts, read_table, read_video, write_rows

__all__ = ["arrow_schema", "read_files", "read_parts", "read_table", "read_video", "write_rows"]
