"""The workbench: train, prune, quantize, verify, measure and report sparse linear models for small boards."""
