"""Is somebody in the room? Runs on a board with MicroPython, and on any Python; beside it lies occupancy.py."""

import occupancy

assert occupancy.selftest(), "this board does not compute what the model must"


def readings(path):
    """Rows of a CSV file as dictionaries; on a board, read your sensors here."""
    with open(path) as file:
        names = file.readline().strip().split(",")
        for line in file:
            yield dict(zip(names, line.strip().split(",")))  # noqa: B905, MicroPython's zip has no strict


def number(text):
    """A cell as a number."""
    return float(text) if text else None  # an empty cell is a missing reading


before, changes, right, rows = None, 0, 0, 0
for row in readings("room.csv"):
    chance, status = occupancy.predict_row({name: number(row[name]) for name in occupancy.FEATURES})
    label = "1" if chance > 0.5 else "0"
    if label != before:
        print(row["date"], "occupied" if label == "1" else "empty", status)
        changes += before is not None
    before = label
    right += label == row["Occupancy"]
    rows += 1
print(rows, "rows,", right, "right,", changes, "changes")
