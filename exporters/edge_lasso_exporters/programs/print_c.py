"""C99 from a program: no heap, no libc, tables in flash, members and columns as narrow as their numbers.

Arithmetic on whole numbers is done in 32 bits also where ``int`` has 16; a shift of a negative number goes through
``FLOOR``. A local stands in the innermost block that holds all its uses, and is constant where it is set once.
"""

from __future__ import annotations

from typing import Any

from .c_tables import Tables
from .c_types import local_type, width
from .nodes import (
    Branch,
    Call,
    Cell,
    Column,
    Do,
    Function,
    Jump,
    Loop,
    Member,
    Name,
    Num,
    Op,
    Pull,
    Push,
    Return,
    Rows,
    Set,
    walk,
)
from .scopes import locals_of, set_once

SCRATCH = "scratch"
"""What a member says that begins with nothing."""


class PrinterC(Tables):
    """A program's text; see `Expressions` for the parameters."""

    # What an artifact declares

    def struct(self, owner: str) -> str:
        """The type of an owner: the widest members first."""
        lines = []
        for name, member in sorted(self.members(owner), key=lambda pair: -self.size(pair[1])):
            for own, kind, count in self.parts(name, member):
                says = f" /* {member.says} */" if member.says else ""
                lines.append(f"    {kind} {own}{count};{says}")
        return "\n".join(["typedef struct {", *(lines or ["    uint8_t nothing;"]), f"}} {self.type_of(owner)};", ""])

    def members(self, owner: str) -> list[tuple[str, Member]]:
        """Names and members of an owner."""
        return list(self.spec.members[owner].items())

    def size(self, member: Member) -> int:
        """Bits of a member."""
        return width(self.kind(member))

    def parts(self, name: str, member: Member) -> list[tuple[str, str, str]]:
        """What a member is in C: name, type, length."""
        return [(name, self.kind(member), "" if member.count is None else f"[{self.length(member)}]")]

    def signature(self, function: Function) -> str:
        """A function's head; the entry is the artifact's, the others are static."""
        entry = function.name == self.spec.entry
        params = []
        uses = function.uses
        if entry:  # the same for every model
            uses = [("state", ""), *(("given", name) for name in self.spec.members["given"]), ("out", "")]
        for owner, member in uses:
            if not member:
                params.append(f"{self.type_of(owner)} *{self.owner(owner)}")
            else:
                about = self.spec.members[owner][member]
                read = owner == "given" or (owner, member) not in self.written(function)
                params.append(f"{'const ' * read}{self.kind(about)} {member}[{self.length(about)}]")
        params += [f"{local_type(function.kinds.get(name, 'int'), self.real)} {name}" for name in function.params]
        result = local_type(function.returns, self.real) if function.returns else "void"
        return f"{'' if entry else 'static '}{result} {self.called(function.name)}({', '.join(params) or 'void'})"

    def written(self, function: Function) -> set[tuple[str, str]]:
        """Members that a function, or what it calls, may write."""
        cells = set()
        for node in walk(function.body):
            if isinstance(node, Set) and isinstance(node.target, Cell):
                cells.add((node.target.owner, node.target.member))
            elif isinstance(node, Call) and node.name in self.functions:
                cells |= self.written(self.functions[node.name])
            elif isinstance(node, Call):  # the artifact's own `predict` writes into its arguments
                cells |= {
                    (cell.owner, cell.member) for cell in node.args if isinstance(cell, Cell) and cell.index is None
                }
        return cells

    # What it defines

    def source(self) -> str:
        """Constants, tables and functions, the entry last."""
        body = "".join(self.function(function) for function in self.functions.values())
        return self.constants() + self.tables() + self.read() + body + self.start()

    def start(self) -> str:
        """The function that sets a state to what it begins with; arrays of one length share a loop."""
        loops: dict[str, list[str]] = {}
        lines = []
        for name, member in self.members("state"):
            state = self.owner("state")
            value = self.begin(member)
            if member.count is None:
                lines.append(f"    {state}->{name} = {value};")
            elif member.says != SCRATCH:
                loops.setdefault(self.length(member), []).append(f"{state}->{name}[k] = {value};")
        text = ["    int k;"] if loops else []
        for count, inside in loops.items():
            text += [f"    for (k = 0; k < {count}; k++) {{", *(f"        {line}" for line in inside), "    }"]
        body = "\n".join([*text, *lines]) or f"    (void){self.owner('state')};"
        return f"\n{self.start_signature()}\n{{\n{body}\n}}\n"

    def start_signature(self) -> str:
        """The head of `start`."""
        return f"void {self.called('start')}({self.type_of('state')} *{self.owner('state')})"

    def begin(self, member: Member) -> str:
        """What a member begins with."""
        if member.start != member.start:
            return f"{self.p}_missing()"
        unsigned = not member.real and self.kind(member).startswith("u")
        return self.literal(member.start) + ("U" if unsigned else "")

    # Functions and statements

    def function(self, function: Function) -> str:
        """One function."""
        self.current = function
        work = self.spec.members.get("work", {}) if function.name == self.spec.entry else {}
        used = {member for owner, member in function.uses if owner == "work"}
        ahead = [f"{self.kind(member)} {name}[{self.length(member)}];" for name, member in work.items() if name in used]
        if function.name == self.spec.entry:
            uses = {member or owner for owner, member in function.uses}
            ahead += [f"(void){name};" for name in ("state", *self.spec.members["given"]) if name not in uses]
        says = f"/* {function.says} */\n" if function.says and function.name != self.spec.entry else ""
        return (
            f"\n{says}{self.signature(function)}\n"
            + "\n".join(self.braces(function.body, set(function.params), ahead))
            + "\n"
        )

    def braces(self, body: list[Any], known: set[str], ahead: list[str] | None = None) -> list[str]:
        """A block: its locals, then its statements."""
        here = locals_of(body, known, self.current)
        later = [name for name, first in here.items() if not first]
        lines = list(ahead or [])
        lines += [f"{local_type(self.current.kinds[name], self.real)} {name};" for name in later]
        lines += [
            f"int {node.row}_at = 0;"
            for node in walk(body)
            if isinstance(node, Rows) and node.outer and self.outermost(body, node)
        ]
        declared = set(later)
        for node in body:
            lines += [f"/* {comment} */" for comment in getattr(node, "above", ())]
            if (
                isinstance(node, Set)
                and isinstance(node.target, Name)
                and node.target.name in here
                and node.target.name not in declared
            ):
                name = node.target.name
                declared.add(name)
                kind = local_type(self.current.kinds[name], self.real)
                results = [f"{'const ' * set_once(self.current, name)}{kind} {name} = {self.fitted(node.value, kind)};"]
            else:
                results = self.statement(node, known | set(here))
            if getattr(node, "behind", "") and results:
                results[0] += f" /* {node.behind} */"
            lines += results
        return ["{", *(f"    {line}" for line in lines), "}"]

    def outermost(self, body: list[Any], node: Rows) -> bool:
        """Whether the running place of rows within rows is to be declared in this block: where the outer loop is."""
        loops = [part for part in body if isinstance(part, Rows) and not part.outer]
        return any(node is inner for loop in loops for inner in walk(loop.body))

    def statement(self, node: Any, known: set[str]) -> list[str]:
        """A statement's lines."""
        match node:
            case Set(target, value):
                return [self.assign(target, value)]
            case Branch(test, body, other):
                flag = f"{self.expr(test)} != 0" if isinstance(test, (Name, Cell)) else self.expr(test)
                lines = self.headed(f"if ({flag})", self.braces(body, known))
                if not other:
                    return lines
                if len(other) == 1 and isinstance(other[0], Branch) and not other[0].above:
                    more = self.statement(other[0], known)
                else:
                    more = self.braces(other, known)
                return [*lines[:-1], f"}} else {more[0]}", *more[1:]]
            case Loop(index, stop, body, down, start):
                head = f"for (int {index} = {self.expr(start)}; {index} < {self.expr(stop)}; {index}++)"
                if down:
                    head = f"for (int {index} = {self.expr(Op('-', stop, Num(1)))}; {index} >= 0; {index}--)"
                return self.headed(head, self.braces(body, known))
            case Rows():
                return self.rows(node, known)
            case Pull(row, table, index):
                own = self.table_name(table)
                return [f"{self.P}_ROW({own}, {row}, &{own}_rows[{self.expr(index)}]);"]
            case Jump(word):
                return [f"{word};"]
            case Return(value):
                return ["return;" if value is None else f"return {self.expr(value)};"]
            case Push(Cell(owner, member), count):
                array = f"{self.owner(owner)}->{member}"
                inside = [f"for (int i = {count - 1}; i > 0; i--) {{", f"    {array}[i] = {array}[i - 1];", "}"]
                return inside if count > 1 else []
            case Do(Call("sums", (q, r))):
                several = len(self.spec.tables["SUMS"]) > 1
                return [
                    f"{self.p}_predict({q.member}, {r.member});"
                    if several
                    else f"{r.member}[0] = {self.p}_predict({q.member});"
                ]
            case Do(call):
                return [f"{self.expr(call)};"]
        raise TypeError(node)

    def headed(self, head: str, block: list[str]) -> list[str]:
        """A block behind its head."""
        return [f"{head} {block[0]}", *block[1:]]

    def rows(self, node: Rows, known: set[str]) -> list[str]:
        """A loop over a table."""
        own, index = self.table_name(node.table), node.index
        if node.outer:
            outer, _, name = node.table.rpartition(".")
            count = self.count_of(outer, name, node.outer)
            head = f"for (int {index} = {count}; {index} > 0; {index}--, {node.row}_at++)"
            return self.headed(head, self.braces(node.body, known))
        loads = any(isinstance(part, Column) and part.row == node.row for part in walk(node.body)) or any(
            isinstance(part, Rows) and part.outer == node.row and self.counts_differ(node.table, part)
            for part in walk(node.body)
        )
        ahead = [f"{self.P}_ROW({own}, {node.row}, &{own}_rows[{index}]);"] if loads else []
        head = f"for (int {index} = 0; {index} < {len(self.spec.table(node.table))}; {index}++)"
        return self.headed(head, self.braces(node.body, known, ahead))

    def assign(self, target: Any, value: Any) -> str:
        """An assignment, without a warning about its width."""
        to = self.expr(target)
        kind = (
            local_type(self.current.kinds[target.name], self.real)
            if isinstance(target, Name)
            else self.kind(self.spec.members[target.owner][target.member])
        )
        if isinstance(value, Op) and value.a == target and value.op in ("+", "-", "*"):
            if value.b == Num(1) and value.op != "*" and kind != self.real:
                return f"{to}{value.op * 2};"
            if kind in ("int32_t", self.real, "uint32_t"):
                return f"{to} {value.op}= {self.expr(value.b)};"
        return f"{to} = {self.fitted(value, kind)};"
