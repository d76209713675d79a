"""What a row does, written once: programs in a small subset of Python, and printers for the languages of artifacts.

A program (`step.py`, `step_q.py`) is a module of plain functions over numbers. It runs as it is (`running.py`); the
front end (`specialize.py`) reads it with `ast`, folds what a model does not have and types it (`kinds.py`); a printer
per language (`print_c.py`, `print_python.py`, `print_js.py`) writes it. `layout.py` and `layout_q.py` say what a model
gives a program: numbers, tables, members. A new language is a printer; a new chart is a branch of a program.
"""
