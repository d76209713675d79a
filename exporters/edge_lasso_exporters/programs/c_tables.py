"""What a program's functions stand on in C: constants, tables in flash, and the intrinsics that are functions."""

from __future__ import annotations

from .c_expressions import Expressions
from .c_types import NARROW, narrowest, width

COLUMNS = 16
READ = """
static {T} {p}_read_real{s}(const {T} *from)
{{
    {T} value;
    {P}_LOAD(&value, from);
    return value;
}}
"""
MIDDLE = """
/* Twice the median of the last values before this one; they are kept in order, each with its place in time. */
static {V} {p}_middle{s}({E} *sorted, {I} *times, {I} *kept, {I} *next, {V} value)
{{
    size_t n = *kept;
    const size_t now = *next;
    size_t i = 0;
    {V} twice = {zero};
    if (n > 0U) {{
        twice = {wide}sorted[n / 2U] + sorted[(n - 1U) / 2U];
    }}
    if (n == {length}U) {{
        while (((i + 1U) < {length}U) && (times[i] != now)) {{
            i++;
        }}
        n--;
        for (; i < n; i++) {{
            sorted[i] = sorted[i + 1U];
            times[i] = times[i + 1U];
        }}
    }}
    for (i = n; (i > 0U) && (sorted[i - 1U] > value); i--) {{
        sorted[i] = sorted[i - 1U];
        times[i] = times[i - 1U];
    }}
    sorted[i] = {cast}value;
    times[i] = ({I})now;
    *kept = ({I})(n + 1U);
    *next = ({I})((now + 1U < {length}U) ? (now + 1U) : 0U);
    return twice;
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

    def middle(self) -> str:
        """The intrinsic of running medians, where it is used."""
        windows = [member for members in self.spec.members.values() for member in members.values() if member.window]
        if not windows:
            return ""
        element = self.kind(windows[0])
        value = "int32_t" if element in NARROW else element
        return MIDDLE.format(
            p=self.p, s=self.suffix, V=value, E=element, I=narrowest([windows[0].window]), length=windows[0].window,
            zero=self.literal(0.0 if windows[0].real else 0), cast=f"({element})" if element != value else "",
            wide="(int32_t)" if element in NARROW else "",
        )  # fmt: skip
