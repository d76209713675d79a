"""Tables through a model."""
