"""scikit-learn's contract over training, and its models taken over."""
