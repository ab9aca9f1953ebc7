"""`pmmc-check completion`: a script for the user's shell, made by shtab from the parsers themselves.

The script is static, so completing starts no Python; after an update of pmmc-check it is printed anew."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from pmmc_check.cli.outputs import print_results
from pmmc_check.cli.parser import VERBS, parser

SHELLS = ("bash", "zsh", "fish", "tcsh")

_EPILOG = """\
examples:
  d=~/.local/share/bash-completion/completions
  pmmc-check completion bash > $d/pmmc-check
  pmmc-check completion zsh > ~/.zfunc/_pmmc-check   a folder that fpath names
  pmmc-check completion fish > ~/.config/fish/completions/pmmc-check.fish
  eval "$(pmmc-check completion bash)"               for this shell only
"""


def configure(verb_parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    verb_parser.epilog = _EPILOG
    verb_parser.add_argument("shell", choices=SHELLS, help="the shell that reads the script")


def run(arguments: argparse.Namespace) -> int:
    """Prints the script."""
    import shtab

    whole, parsers = parser(VERBS)
    names = _names()
    for action in (action for each in parsers.values() for action in each._actions):
        if action.dest in names and action.choices is None:
            action.choices = names[action.dest]
        elif isinstance(action.metavar, str) and "DIR" in action.metavar:
            action.complete = shtab.DIRECTORY if action.metavar == "DIR" else shtab.FILE  # type: ignore[attr-defined]  # as shtab asks for
        elif isinstance(action.metavar, str) and "FILE" in action.metavar:
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # likewise
    print_results(shtab.complete(whole, shell=arguments.shell))
    return 0


def _names() -> dict[str, Iterable[str]]:
    """The names that an option takes, where its parser does not check them itself."""
    from pmmc_check.model.network import NETWORKS
    from pmmc_check.properties.invariants import PROPERTIES
    from pmmc_check.protocol.variants.catalogue import VARIANTS

    return {"variant": list(VARIANTS), "invariant": list(PROPERTIES), "network": list(NETWORKS)}
