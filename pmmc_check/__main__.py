"""`python -m pmmc_check` is the `pmmc-check` command."""

from pmmc_check.cli.main import entry

if __name__ == "__main__":
    entry()
