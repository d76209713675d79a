"""Artifacts against the reference: trials, comparisons, the certificate."""
