"""What a table of the lake is: its name, its key, and the name, type, unit and meaning of each column."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column. `type`: string, int64, int32, float64, bool, list<float32> or list<int64>."""

    name: str
    type: str
    meaning: str
    unit: str = ""
    nullable: bool = False


@dataclass(frozen=True)
class Table:
    """One table: its key columns, which commands write it, and its columns in order."""

    name: str
    key: tuple[str, ...]
    written_by: tuple[str, ...]
    meaning: str
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column:
        """The column of that name. Raises KeyError listing the right names."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"table {self.name} has no column {name!r}; it has {', '.join(c.name for c in self.columns)}")

    def check_row(self, row: dict) -> None:
        """Raises ValueError when a row's columns, nulls or types are not the table's."""
        expected = {column.name for column in self.columns}
        if set(row) != expected:
            odd = sorted(set(row) ^ expected)
            raise ValueError(f"table {self.name}: columns {odd} are missing or unknown")
        for column in self.columns:
            value = row[column.name]
            if value is None:
                if not column.nullable:
                    raise ValueError(f"table {self.name}: {column.name} is null in {_key_text(self, row)}")
            elif not isinstance(value, _PYTHON_TYPES[column.type]) or (
                column.type != "bool" and isinstance(value, bool)
            ):
                raise ValueError(
                    f"table {self.name}: {column.name} is {type(value).__name__}, wanted {column.type} in {_key_text(self, row)}"
                )


_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "int64": (int,),
    "int32": (int,),
    "float64": (float, int),
    "bool": (bool,),
    "list<float32>": (list, tuple),
    "list<int64>": (list, tuple),
}


def _key_text(table: Table, row: dict) -> str:
    return ", ".join(f"{name}={row.get(name)!r}" for name in table.key)


def column(name: str, type_: str, meaning: str, unit: str = "", nullable: bool = False) -> Column:
    """A column, said shortly."""
    return Column(name, type_, meaning, unit, nullable)
