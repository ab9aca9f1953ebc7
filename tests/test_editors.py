"""The TextMate grammars of editors/vscode: no word of the Lark grammars is missing, and each token is coloured as what it is.

What needs node runs after `npm ci` in editors/vscode, as .ci/run does."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT, system
from lark import Lark, Token

from pmmc_check.spec.document import SETTINGS
from pmmc_check.spec.names import FACT_SETS, OPERATORS, STATE, constants
from pmmc_check.spec.parse import AlignedLists

EDITOR = ROOT / "editors" / "vscode"
PACKAGE = json.loads((EDITOR / "package.json").read_text(encoding="utf-8"))
SPECS, TRACES = sorted((ROOT / "specs").glob("*.spec")), sorted((ROOT / "traces").rglob("*.pmmc"))
with_node = pytest.mark.skipif(
    shutil.which("node") is None or not (EDITOR / "node_modules").is_dir(), reason="needs node, and `npm ci` in editors/vscode"
)


def lark_text(kind: str) -> str:
    return files("pmmc_check").joinpath("spec/spec.lark" if kind == "spec" else "trace/grammar.lark").read_text(encoding="utf-8")


def literals(text: str) -> set[str]:
    """All that a Lark grammar writes in quotes, outside regular expressions and comments."""
    plain = re.sub(r"(?m)^//.*$|\s//.*$|^[A-Z_.0-9]+: /.*$", "", text)
    return {found.replace("\\\\", "\\") for found in re.findall(r'"((?:[^"\\]|\\.)+)"', plain)}


def scopes_of(kind: str) -> list[tuple[re.Pattern[str], str]]:
    """The patterns of a TextMate grammar, for texts that are a word by themselves."""
    grammar = json.loads((EDITOR / "syntaxes" / f"{kind}.tmLanguage.json").read_text(encoding="utf-8"))
    parts = [part for include in grammar["patterns"] for part in grammar["repository"][include["include"][1:]]["patterns"]]
    return [(re.compile(part["match"]), part.get("name", "")) for part in parts if "match" in part]


def coloured(kind: str, word: str) -> str | None:
    found = (name for pattern, name in scopes_of(kind) if (match := pattern.search(word)) and match.group() == word)
    return next(found, None)


def test_no_word_of_the_grammar_of_specs_is_missing() -> None:
    words = literals(lark_text("spec")) | {"\\", "\\notin", "⊥"}
    assert {"CONSTRAINT", "\\A", "∀", "/\\", "|->", "\\subseteq", ".."} <= words
    assert [word for word in sorted(words) if coloured("spec", word) is None] == []
    for name in SETTINGS:
        assert (coloured("spec", name.upper()) or "").startswith("keyword.other.setting") or name == "window"
    known = {*OPERATORS, *FACT_SETS, *STATE, *constants(system())}
    assert [word for word in sorted(known) if coloured("spec", word) is None] == []


def test_no_word_of_the_grammar_of_traces_is_missing() -> None:
    words = literals(lark_text("trace")) | {"meta.expect="}
    assert {"pmmc-trace", "configurations=", "preempted", "duplicating", "slot_out="} <= words
    assert [word for word in sorted(words) if coloured("trace", word) is None] == []
    plain = [word for word in sorted(words) if re.fullmatch(r"[a-z]\w+=?", word) and (coloured("trace", word) or "").startswith("entity")]
    assert plain == [], "a word of the grammar is coloured as the name of a process"


def test_the_extension_names_files_that_exist_and_are_json() -> None:
    contributed = PACKAGE["contributes"]
    named = [each["configuration"] for each in contributed["languages"]] + [each["path"] for each in contributed["grammars"]]
    assert all(json.loads((EDITOR / name).read_text(encoding="utf-8")) for name in named)
    assert {extension for each in contributed["languages"] for extension in each["extensions"]} == {".spec", ".pmmc"}


@cache
def tokenised(kind: str) -> dict[Path, list[list[tuple[int, int, str]]]]:
    paths = SPECS if kind == "spec" else TRACES
    command = ["node", "test/tokens.js", f"syntaxes/{kind}.tmLanguage.json", *map(str, paths)]
    done = subprocess.run(command, cwd=EDITOR, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(zip(paths, json.loads(done.stdout), strict=True))


def scope_at(lines: list[list[tuple[int, int, str]]], line: int, column: int) -> str:
    return next(scope for start, end, scope in lines[line - 1] if start <= column - 1 < end)


SPEC_SCOPES = {
    **dict.fromkeys(("INVARIANT", "WITNESS", "CONSTRAINT"), "keyword.control.property"),
    **dict.fromkeys(("IF", "THEN", "ELSE", "LET", "IN", "CHOOSE", "UNION"), "keyword.control"),
    **dict.fromkeys(("AND", "OR", "NOT", "IMPLIES", "IFF", "OPEN_AND", "OPEN_OR", "NEXT_AND", "NEXT_OR"), "keyword.operator.logical"),
    **dict.fromkeys(("FORALL", "EXISTS"), "keyword.operator.quantifier"),
    **dict.fromkeys(("COMPARISON", "IN_SET", "SET_OPERATION", "PLUS", "TIMES", "RANGE", "MAPS_TO"), "keyword.operator"),
    "EQUALS_BY_DEFINITION": "keyword.operator.definition",
}
"""What a token of the Lark grammar must be coloured as."""


def spec_tokens(path: Path) -> Iterator[Token]:
    grammar = Lark(lark_text("spec"), parser="lalr", lexer="basic", postlex=AlignedLists(), start="start")
    return grammar.lex(path.read_text(encoding="utf-8"))


@with_node
@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_each_token_of_a_spec_is_coloured_as_what_it_is(path: Path) -> None:
    lines = tokenised("spec")[path]
    checked = 0
    for token in spec_tokens(path):
        if token.type in SPEC_SCOPES or token in {name.upper() for name in SETTINGS}:
            wanted = SPEC_SCOPES.get(token.type, "keyword.other.setting")
            assert scope_at(lines, token.line or 0, token.column or 0).startswith(wanted), token
            checked += 1
    assert checked > 3
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if (at := text.find("\\*")) >= 0:
            assert scope_at(lines, number, at + 1).startswith("comment")


def trace_tokens(path: Path) -> Iterator[Any]:
    tree = trace_grammar().parse(path.read_text(encoding="utf-8"))
    return tree.scan_values(lambda each: isinstance(each, Token) and not each.type.startswith("_"))


@cache
def trace_grammar() -> Lark:
    return Lark(lark_text("trace"), parser="lalr", start="start", keep_all_tokens=True)


TRACE_SCOPES = {
    **dict.fromkeys(("BALLOT", "BALLOT_SLOT", "PVALUE"), "constant.other.ballot"),
    **dict.fromkeys(("UNKNOWN", "YES_NO", "DUPLICATING", "RELIABLE", "LOSSY", "FIFO"), "constant.language"),
    "COMMAND": ("string.unquoted", "constant.language"),
    "STRING": "string.quoted",
    "INT": "constant.numeric",
    "NAME": "entity.name.process",
}


@with_node
@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)
def test_each_token_of_a_trace_is_coloured_as_what_it_is(path: Path) -> None:
    lines = tokenised("trace")[path]
    messages = {"request", "propose", "p1a", "p1b", "p2a", "p2b", "adopted", "preempted", "decision", "response"}
    for token in trace_tokens(path):
        scope = scope_at(lines, token.line, token.column)
        if token.endswith("="):
            assert scope.startswith("variable."), token
        elif token in messages:
            assert scope.startswith("support.function"), token
        elif token in {"pmmc-trace", "config", "log", "part"}:
            assert scope.startswith("keyword.control"), token
        elif token.type in TRACE_SCOPES:
            assert scope.startswith(TRACE_SCOPES[token.type]), (token, scope)
