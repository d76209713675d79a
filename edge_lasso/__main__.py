"""``python -m edge_lasso`` is the `edge-lasso` command."""

import sys

from edge_lasso.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
