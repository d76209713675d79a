"""What an artifact's README and examples say: one module per language, of pure functions from a model to text."""
