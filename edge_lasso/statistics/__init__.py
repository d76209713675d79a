"""Mergeable moments of the rows: collecting them, folds, the statistics file, many workers."""
