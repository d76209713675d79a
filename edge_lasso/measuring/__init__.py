"""What a model costs: bench, counts, search."""
