"""The mathematics of choosing: problems, solvers, penalties, selection. No file and no model in here."""
