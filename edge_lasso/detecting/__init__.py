"""Normal operation into a detector: sensors' models, charts, thresholds."""
