"""One module a command; `edge_lasso.cli` puts them together."""
