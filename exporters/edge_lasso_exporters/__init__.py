"""One module per target format: a model in, the files of an artifact out."""

GENERATOR = "edge-lasso 0.1.0"
