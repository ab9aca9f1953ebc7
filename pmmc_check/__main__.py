"""`python -m pmmc_check` is the `pmmc-check` command."""

import sys

from pmmc_check.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
