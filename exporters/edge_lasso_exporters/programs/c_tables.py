"""What a program's functions stand on in C: constants, tables in flash, and the intrinsics that are functions."""

from __future__ import annotations

from .c_expressions import Expressions
from .c_types import width

COLUMNS = 16
READ = """
static {T} {p}_read_real{s}(const {T} *from)
{{
    {T} value;
    {P}_LOAD(&value, from);
    return value;
}}
"""


class Tables(Expressions):
    """Constants and tables; see `Expressions` for the parameters."""

    def constants(self) -> str:
        """The numbers that a program has names for."""
        lines = [
            f"#define {self.named(name)} {self.bracketed(value)}"
            for name, value in self.numbers.items()
            if name not in self.there
        ]
        return "\n" + "\n".join(lines) + "\n" if lines else ""

    def tables(self) -> str:
        """Constant rows: a struct a row; of rows within rows an array a column, read one after another."""
        text = ""
        for name in self.used:
            columns = {
                column: values
                for column, values in self.spec.table(name).columns.items()
                if (name, column) in self.columns
            }
            own = self.table_name(name)
            if "." in name:
                for column, values in columns.items():
                    kind = self.column_type(values)
                    abreast = COLUMNS // 2 if kind == self.real else COLUMNS
                    lines = [
                        ", ".join(map(self.literal, values[i : i + abreast])) for i in range(0, len(values), abreast)
                    ]
                    text += (
                        f"\nstatic const {kind} {own}_{column}[] {self.P}_ROM = {{\n    "
                        + ",\n    ".join(lines)
                        + "};\n"
                    )
                continue
            ordered = sorted(columns.items(), key=lambda pair: -width(self.column_type(pair[1])))
            names = "\n".join(f"    {self.column_type(values)} {column};" for column, values in ordered)
            rows = "\n".join(
                "    {" + ", ".join(map(self.literal, row)) + "},"
                for row in zip(*(values for _, values in ordered), strict=True)
            )
            text += f"\ntypedef struct {{\n{names}\n}} {own};\n"
            text += f"\nstatic const {own} {own}_rows[] {self.P}_ROM = {{\n{rows}\n}};\n"
        return text

    def read(self) -> str:
        """The function that reads a number of the artifact's type from flash, where it is used."""
        inner = [self.spec.table(table).columns[column] for table, column in self.columns if "." in table]
        if not any(isinstance(values[0], float) for values in inner):
            return ""
        return READ.format(p=self.p, P=self.P, T=self.real, s=self.suffix)
