"""Fitted scikit-learn pipelines as expressions over their raw inputs: each column a constant plus terms."""
