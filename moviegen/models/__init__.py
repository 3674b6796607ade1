"""The networks of Movie Gen. Each is one file: config dataclass, then module; parts shared by two files are in layers."""
