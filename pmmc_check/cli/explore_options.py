"""The options of `pmmc-check explore`, in the groups in which its help lists them."""

from __future__ import annotations

import argparse

from pmmc_check.cli.exports import configure_export
from pmmc_check.cli.graphs import configure_graph
from pmmc_check.cli.numbers import number_from_one, positive_minutes, positive_seconds
from pmmc_check.cli.pages import configure_html
from pmmc_check.cli.programs import configure_deadline

_THREADS_MAX, _WORKERS_MAX = 256, 1024

_EPILOG = """\
examples:
  pmmc-check explore
      the default configuration, checked to the end
  pmmc-check explore --leaders 1 --replicas 1 --slots 1 --reduce none \\
    --format json
      every state counted one by one, for scripts
  pmmc-check explore --acceptors 1 --slots 1 --commands 2 --variant ignore-pmax
      a seeded fault, and a shortest run that shows it
  pmmc-check explore --acceptors 1 --slots 1 --protocol my_variant:MyAcceptor
      a role of your own (docs/your-own-role.md has a complete example)
  pmmc-check explore --protocol 'exec:./target/release/acceptor-step'
      roles that a program plays, in any language (docs/any-language.md)
  pmmc-check explore --slots 3 --time-limit 60
      as far as a minute goes: then "inconclusive", exit code 3
  pmmc-check explore --slots 3 --max-memory 4000 --disk /var/tmp
      with 4,000 MiB of memory, and the rest on disk (docs/scale.md)
  pmmc-check explore --slots 3 --checkpoint kept --max-memory 8000
      kept in a folder while it runs; after a limit, Ctrl-C or a reboot the same
      with --resume kept goes on (docs/scale.md)
  pmmc-check explore --slots any --ballots 4
      every number of slots, commands, replicas, leaders and rounds, in seconds
  pmmc-check explore --leaders 1 --replicas 1 --slots 1 \\
    --graph states.svg --observe decided,ballots,chosen
      a picture of all states, put together where these three are the same
      (docs/graphs.md)
  pmmc-check explore --acceptors 1 --slots 1 --commands 2 \\
    --variant ignore-pmax --export run.mmd --export run.itf.json
      the counterexample as a Mermaid diagram, and for the viewers of TLA+ and
      Quint

exit codes: 0 every reachable state was checked and all invariants hold;
            1 violated, a shortest counterexample is printed;
            2 usage or bad input; 3 inconclusive, a limit stopped the search
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    parser.epilog = _EPILOG
    parser.add_argument("spec", metavar="SPEC", nargs="?", help="a spec file (docs/specs.md); options override what it says")
    for group in (_size, _faults, _what, _how, _limits, _kept, _shared, _output):
        group(parser)


def configure_bounds(parser: argparse.ArgumentParser) -> None:
    """Declares the options that bound what is searched, for other verbs."""
    for group in (_size, _faults, _limits):
        group(parser)


def configure_model(parser: argparse.ArgumentParser) -> None:
    """Declares the options that say which model is meant and what is looked for, for other verbs; the rest is as by default."""
    parser.add_argument("spec", metavar="SPEC", nargs="?", help="a spec file (docs/specs.md); options override what it says")
    for group in (_size, _faults, _what):
        group(parser)
    rest = argparse.ArgumentParser(add_help=False)
    for group in (_how, _limits, _kept, _shared, _output):
        group(rest)
    known = {action.dest for action in parser._actions}
    parser.set_defaults(**{name: value for name, value in vars(rest.parse_args([])).items() if name not in known})


def _size(parser: argparse.ArgumentParser) -> None:
    size = parser.add_argument_group("configuration")
    for name, default, text in (
        ("acceptors", "3", "acceptors"),
        ("quorum1", "a majority", "acceptors that make a quorum of phase 1: a scout waits for so many"),
        ("quorum2", "a majority", "acceptors that make a quorum of phase 2: a commander waits for so many"),
        ("leaders", "2", "leaders"),
        ("replicas", "2", "replicas"),
        ("slots", "2", "replicas propose for slots 1 to N; `any` covers every number of slots (docs/any-slots.md)"),
        ("commands", "as many as slots", "client commands, each sent to every replica at the start"),
        ("rounds", "1", "ballot rounds 0 to N-1; a leader that needs a higher one retires"),
        ("window", "as many as slots", "the paper's WINDOW: slots that may be open at once"),
    ):
        kind = _slots if name == "slots" else number_from_one
        size.add_argument(f"--{name}", type=kind, metavar="N", help=f"{text} (default: {default})")
    size.add_argument("--network", metavar="NAME", help="duplicating (default), reliable, lossy or fifo")
    size.add_argument(
        "--reconfigurations",
        type=number_from_one,
        metavar="N",
        help="N more commands, each to change to a further set of leaders and acceptors",
    )
    size.add_argument(
        "--ballots",
        type=number_from_one,
        metavar="N",
        help="with --slots any: any number of leaders and rounds that use at most N ballots (default: 4)",
    )
    size.add_argument(
        "--replica-slots", type=number_from_one, metavar="N", help="with --slots any: slots of the replica's own part (default: 5)"
    )
    size.add_argument(
        "--replica-commands",
        type=number_from_one,
        metavar="N",
        help="with --slots any: clients' commands in the replica's own part, beside one reconfiguration (default: 2)",
    )


def _faults(parser: argparse.ArgumentParser) -> None:
    faults = parser.add_argument_group("faults; each kind bounded for a whole run")
    faults.add_argument("--crashes", type=number_from_one, metavar="N", help="at most N crashes (default: none)")
    faults.add_argument("--restarts", type=number_from_one, metavar="N", help="at most N restarts of crashed processes (default: none)")
    faults.add_argument("--faulty", type=_names, metavar="ROLE,...", help="who may crash: acceptor,replica,leader (default: all three)")


def _what(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what is checked")
    what.add_argument(
        "--invariant",
        metavar="NAME|EXPR|MODULE:FUNCTION",
        action="append",
        default=[],
        help="check only this one: built in, an expression or a Python function (docs/specs.md); may be repeated "
        "(default: all, but those about progress)",
    )
    what.add_argument(
        "--find", metavar="EXPR", action="append", default=[], help="find a shortest run to a state in which EXPR is true; may be repeated"
    )
    what.add_argument(
        "--constraint",
        metavar="EXPR",
        action="append",
        default=[],
        help="bound the search: no step is taken from a state in which EXPR is false; may be repeated",
    )
    what.add_argument("--fair", action="store_true", help="of Progress: only of runs that keep no message and no process waiting for ever")
    what.add_argument(
        "--variant",
        metavar="NAME",
        action="append",
        default=[],
        help="a built-in variant, such as a seeded fault; may be repeated (pmmc-check variants lists them)",
    )
    what.add_argument(
        "--protocol",
        metavar="MODULE:OBJECT|exec:COMMAND",
        action="append",
        default=[],
        help="a role of your own in place of the paper's: in Python, or a program in any language (docs/any-language.md); may be repeated",
    )
    configure_deadline(what)


def _how(parser: argparse.ArgumentParser) -> None:
    how = parser.add_argument_group("how")
    how.add_argument(
        "--engine",
        choices=("compiled", "symbolic", "auto", "reference"),
        default="compiled",
        help="compiled (default); symbolic, which holds all states in one decision diagram; auto, which takes that where nothing is "
        "reduced and there are very many states; or the plain reference search",
    )
    how.add_argument(
        "--strategy",
        choices=("exhaustive", "random", "iterative", "compositional"),
        default="exhaustive",
        metavar="NAME",
        help="exhaustive (default); random walks, which find but never prove; iterative: all smaller configurations first; "
        "or compositional, for what is too large to end: the same as --slots any",
    )
    how.add_argument("--seed", type=number_from_one, metavar="N", help="which random walks to take (default: 1)")
    how.add_argument("--walk-steps", type=number_from_one, metavar="N", help="a random walk ends after so many steps (default: 500)")
    how.add_argument("--reduce", metavar="LIST", help="all (default), none, or some of inert,deferral,halting,commuting,symmetry")
    how.add_argument(
        "--continue",
        dest="keep_going",
        action="store_true",
        help="go on after a violation: a shortest run for each invariant that is violated",
    )
    how.add_argument("--trust-claims", action="store_true", help="do not check what roles claim of themselves (docs/your-own-role.md)")
    how.add_argument("--threads", type=_threads, metavar="N", help="threads (default: as many as there are cores); the result is the same")


def _limits(parser: argparse.ArgumentParser) -> None:
    limits = parser.add_argument_group("limits; when one stops the search the verdict is inconclusive")
    limits.add_argument("--max-states", type=number_from_one, metavar="N", help="distinct states")
    limits.add_argument("--max-depth", type=number_from_one, metavar="N", help="states on a path, the initial one included")
    limits.add_argument("--time-limit", type=positive_seconds(), metavar="SECONDS", help="wall-clock time")
    limits.add_argument(
        "--max-memory", type=number_from_one, metavar="MIB", help="memory of the whole process (default: most of what is free)"
    )
    limits.add_argument(
        "--disk",
        metavar="DIR",
        help="when memory gets short, go on with the states in files in DIR (docs/scale.md)",
    )


def _kept(parser: argparse.ArgumentParser) -> None:
    keeping = parser.add_argument_group("to go on later (docs/scale.md)")
    keeping.add_argument("--checkpoint", metavar="DIR", help="keep the search in DIR, so that it can go on after whatever stops it")
    keeping.add_argument(
        "--checkpoint-every",
        type=positive_minutes,
        metavar="MINUTES",
        help="so often, beside when a limit or Ctrl-C stops it (default: 10)",
    )
    keeping.add_argument(
        "--resume", metavar="DIR", help="go on with the search in DIR, asked for with the same options; limits and threads may be others"
    )


def _shared(parser: argparse.ArgumentParser) -> None:
    shared = parser.add_argument_group("many processes and machines (docs/workers.md); needs pip install 'ray[client]'")
    shared.add_argument(
        "--workers", type=_workers, metavar="N", help="share the search out among N processes of Ray, each with a part of the states"
    )
    shared.add_argument(
        "--cluster", metavar="ray://HOST:PORT", help="the same on a Ray cluster, with as many workers as it has processors, or --workers"
    )
    shared.add_argument(
        "--recover", metavar="DIR", help="with --cluster: a folder that all machines see, from which the work of one that dies is taken up"
    )


def _workers(text: str) -> int:
    """A whole number from 1 to 1024."""
    workers = number_from_one(text)
    if workers > _WORKERS_MAX:
        raise argparse.ArgumentTypeError(f"must be at most {_WORKERS_MAX}, got {workers}")
    return workers


def _output(parser: argparse.ArgumentParser) -> None:
    out = parser.add_argument_group("output")
    out.add_argument("--format", choices=("text", "json"), default="text", help="text (default) or one JSON object")
    out.add_argument(
        "--view",
        choices=("list", "table", "lanes"),
        help="how to show a counterexample: a narrow list, a table with a column for each role, or a lane for each process "
        "(default: list below 150 columns, else table)",
    )
    out.add_argument(
        "--color", choices=("auto", "always", "never"), default="auto", help="colours: auto (default) on a terminal, unless NO_COLOR is set"
    )
    out.add_argument(
        "--strict", action="store_true", help="exit code 3 when what holds does so vacuously (the report says why, under `vacuous`)"
    )
    out.add_argument("--quiet", action="store_true", help="no progress line")
    out.add_argument(
        "--serve",
        metavar="HOST:PORT",
        nargs="?",
        const="",
        help="step through it in a browser, while the search runs beside it (docs/stepping.md; default: 127.0.0.1:8642); put it last",
    )
    out.add_argument(
        "--load",
        metavar="FILE",
        help="with --serve: begin at the end of a recorded run, a counterexample or any trace, instead of a search",
    )
    out.add_argument(
        "--trace-out", metavar="FILE", help="also write the counterexample to FILE: a trace for validate, or JSON if it ends in .json"
    )
    configure_graph(out, number_from_one)
    configure_html(out, "the counterexample or witness, and what was searched,")
    configure_export(out, "the counterexample, or witness,")
    out.add_argument(
        "--export-tla",
        metavar="DIR",
        help="also write the configuration for TLC, with the counts that it should find, and the run that was found, for it to replay",
    )


def _names(text: str) -> tuple[str, ...]:
    """Names separated by commas."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",")))


def _slots(text: str) -> int | str:
    """A whole number from 1, or `any`."""
    if text == "any":
        return text
    try:
        return number_from_one(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}; or `any`, for every number of slots") from None


def _threads(text: str) -> int:
    """A whole number from 1 to 256."""
    threads = number_from_one(text)
    if threads > _THREADS_MAX:
        raise argparse.ArgumentTypeError(f"must be at most {_THREADS_MAX}, got {threads}; more threads than cores do not help")
    return threads
