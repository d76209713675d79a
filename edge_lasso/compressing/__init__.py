"""Smaller models with a proven bound: prune, ranges, quantize."""
