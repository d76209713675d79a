"""The file that stands in a folder while a set of its files is exchanged; what reads one looks for it first."""

SWITCH = ".edge-lasso.switch"
