"""One module per target format: a model in, the files of an artifact out."""

GENERATOR = "edge-lasso 0.1.0"
LICENCE = "0BSD"
"""What generated files say to licence scanners: the code that is put into them comes without a condition."""
SPDX = f"SPDX-License-Identifier: {LICENCE}"
