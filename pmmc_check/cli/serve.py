"""`pmmc-check explore --serve`: stepping in a browser, with the search beside it."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from pmmc_check.cli.failures import EXIT_HOLDS, say
from pmmc_check.cli.interrupts import signals_forgotten
from pmmc_check.cli.outputs import print_results
from pmmc_check.errors import UsageError

if TYPE_CHECKING:
    from pmmc_check.checker.result import Limits
    from pmmc_check.explorer.server.background import RunSearch
    from pmmc_check.explorer.session import Subject

TOKEN = "PMMC_CHECK_TOKEN"
"""The environment variable that keeps the token, and with it all addresses, over a restart."""
_INSTEAD = ("trace_out", "graph", "strict", "checkpoint", "resume", "workers", "cluster")


def serve(arguments: argparse.Namespace) -> int:
    """Answers until Ctrl-C."""
    try:
        from pmmc_check.explorer.server.serving import Serving, listening, served_at
    except ImportError as error:
        if error.name not in ("starlette", "uvicorn", "anyio", "h11"):
            raise
        raise UsageError(f"--serve: needs {error.name}; install it in your clone of pmmc-check: pip install '.[serve]'") from None
    from pmmc_check.cli.stepping import session_of, users_code_kept_in
    from pmmc_check.explorer.server.answers import Beginning
    from pmmc_check.explorer.server.background import BackgroundSearch
    from pmmc_check.explorer.server.gatekeeper import LOOPBACK, Gatekeeper, token_from
    from pmmc_check.explorer.session import path_text

    where = served_at(_address(arguments))
    _check_other_options(arguments)
    token = token_from(os.environ.get(TOKEN))
    with users_code_kept_in(arguments):
        session, spec, told = session_of(arguments)
        subject, beginning = session.subject, Beginning(path_text(session.here.path), told)
        asked = None if arguments.load else _search(arguments, subject)  # of what comes after a recorded run `until` searches
        at = listening(where)
        gatekeeper = Gatekeeper(token, where.host, at.getsockname()[1])
        serving = Serving(subject, spec, BackgroundSearch(subject, *asked) if asked else None, at, gatekeeper, beginning)
        try:
            print_results(f"{gatekeeper.address}#{beginning.path}" if told else gatekeeper.address)
            if where.host not in LOOPBACK:
                say(
                    "explore",
                    f"--serve {where.host}: whoever can reach this machine and knows the address can step, too; nothing is encrypted",
                )
            serving.wait()
        except KeyboardInterrupt:
            signals_forgotten()
        finally:
            serving.stop()
    return EXIT_HOLDS


def _address(arguments: argparse.Namespace) -> str:
    """What follows --serve; a spec there is the spec."""
    text: str = arguments.serve
    if arguments.spec is None and text.endswith(".spec"):
        arguments.spec, text = text, ""
    return text


def _check_other_options(arguments: argparse.Namespace) -> None:
    if arguments.format == "json":
        raise UsageError("--serve: it answers a browser and prints no result; leave --format json out")
    for name in _INSTEAD:
        if getattr(arguments, name, None):
            raise UsageError(f"--serve: it prints no result; leave --{name.replace('_', '-')} out")


def _search(arguments: argparse.Namespace, subject: Subject) -> tuple[RunSearch, Limits]:
    """The search that `explore` would run, on a model of its own, and its limits."""
    from pmmc_check.api.searching import limits_of, result_of
    from pmmc_check.checker.result import Control, Result
    from pmmc_check.cli.stepping import search_options
    from pmmc_check.model.model import Model

    options = search_options(arguments)

    def search(control: Control) -> Result:
        model = Model(subject.model.config, subject.model.protocol)
        return result_of(options, model, control, subject.invariants)[0]

    return search, limits_of(options)
