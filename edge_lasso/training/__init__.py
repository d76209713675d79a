"""From statistics to a model: regression, classes, resampling, intervals, what a model carries."""
