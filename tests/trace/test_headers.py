"""What a header may say of keys that mean nothing, and names in it that are misspelt."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from helpers import ROOT

from pmmc_check.trace.convert import converted
from pmmc_check.trace.errors import TraceError
from pmmc_check.trace.events import Event
from pmmc_check.trace.readers.reader import open_trace

CONFIG = "pmmc-trace 1\nconfig replicas=R1 leaders=L1 acceptors=A1,A2,A3 window=5"
JSON = {"pmmc-trace": 1, "replicas": ["R1"], "leaders": ["L1"], "acceptors": ["A1"], "window": 5, "logs": {"A1": "complete"}}
P2A = {"at": "A1", "do": "recv", "msg": "p2a", "b": "0.L1", "s": 1, "c": "C1:1"}
KEYS = ["span", "@timestamp", "trace.id"]


def read(file: Path, *lines: object) -> list[Event]:
    file.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return [event for stream in open_trace(file).events() for event in stream]


@pytest.mark.parametrize(
    "more",
    [
        {"span": "x"},
        {"span": {"a": {"b": [1]}}, "@timestamp": 5.5},
        {"trace.id": None, "id": "z", "t": 7},
        {"span": [{"msg": "no"}], "post": {"ballot": "0.L1"}},
        {},
    ],
)
def test_keys_that_the_header_lists_are_skipped(tmp_path: Path, more: dict[str, object]) -> None:
    known = {key: value for key, value in more.items() if key not in KEYS}
    (with_more, again) = read(tmp_path / "t.jsonl", JSON | {"ignore": KEYS}, P2A | more, P2A | more)
    (without,) = read(tmp_path / "t.jsonl", JSON, P2A | known)
    assert with_more == again._replace(line=2) == without


def test_other_keys_are_still_errors(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="'spam' is no field of p2a"):
        read(tmp_path / "t.jsonl", JSON | {"ignore": KEYS}, P2A | {"spam": 1})
    with pytest.raises(TraceError, match="'span' is set twice"):
        read(tmp_path / "t.jsonl", JSON | {"ignore": KEYS}, json.dumps(P2A)[:-1] + ',"span":1,"span":2}')


def test_both_formats_state_them(tmp_path: Path) -> None:
    (file := tmp_path / "t.pmmc").write_text(f'{CONFIG} ignore=span,"@timestamp",trace.id\nlog A1 complete\nA1 < p1a b=0.L1\n')
    assert open_trace(file).header.ignore == tuple(KEYS)
    lines = list(converted(open_trace(file), "jsonl"))
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    jsonschema.validate(json.loads(lines[0]), json.loads((ROOT / "pmmc_check/trace/trace.schema.json").read_text()))
    assert open_trace(tmp_path / "t.jsonl").header == open_trace(file).header
    assert any('ignore=span,"@timestamp",trace.id' in line for line in converted(open_trace(tmp_path / "t.jsonl"), "dsl"))


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("msg", "'msg' has a meaning in the trace format, and cannot be ignored"),
        ("span,accepted", "'accepted' has a meaning"),
        ("span,span", "'span', which is empty, not printable, or there twice"),
        ('""', "'', which is empty"),
    ],
)
def test_what_means_something_cannot_be_ignored(tmp_path: Path, value: str, problem: str) -> None:
    (file := tmp_path / "t.pmmc").write_text(f"{CONFIG} ignore={value}\nlog A1 complete\nA1 < p1a b=0.L1\n")
    with pytest.raises(TraceError) as error:
        open_trace(file)
    assert str(error.value).startswith(f"{file}:2:")
    assert problem in str(error.value)
    with pytest.raises(TraceError, match="has"):
        read(tmp_path / "t.jsonl", JSON | {"ignore": json.loads(f'["{value.strip(chr(34))}"]'.replace(",", '","'))}, P2A)


@pytest.mark.parametrize(
    ("config", "name", "meant"),
    [
        ("acceptors=A1,A2,A3", "A9", "A1"),
        ("acceptors=acceptor1,acceptor2", "aceptor1", "acceptor1"),
        ("acceptors=acceptor-1,acceptor-2", "acceptor-12", "acceptor-2"),
        ("acceptors=a", "L7", "L1"),
    ],
)
def test_a_log_with_a_misspelt_name_is_refused(tmp_path: Path, config: str, name: str, meant: str) -> None:
    (file := tmp_path / "t.pmmc").write_text(f"pmmc-trace 1\nconfig replicas=R1 leaders=L1 window=5 {config}\nlog {name} complete\n")
    with pytest.raises(TraceError, match=rf"{name} is no replica, leader or acceptor of the header \(did you mean {meant}\?\)") as error:
        open_trace(file)
    assert error.value.line == 3


@pytest.mark.parametrize("name", ["C1", "client-1", "alice", "node-client-1"])
def test_clients_need_not_be_listed_as_long_as_they_look_like_nobody_else(tmp_path: Path, name: str) -> None:
    processes = "replicas=node-replica-1 leaders=node-leader-1 acceptors=node-acceptor-1,A1"
    (file := tmp_path / "t.pmmc").write_text(
        f"pmmc-trace 1\nconfig window=5 {processes}\nlog {name} complete\n{name} > request c={name}:1\n"
    )
    assert next(iter(open_trace(file).header.logs)) == name


def test_a_client_that_looks_like_an_acceptor_may_be_listed(tmp_path: Path) -> None:
    (file := tmp_path / "t.pmmc").write_text(f"{CONFIG} clients=A9\nlog A9 complete\nA9 > request c=A9:1\n")
    assert "A9" in open_trace(file).header.logs
