"""One module per target format: a model in, the files of an artifact out."""
