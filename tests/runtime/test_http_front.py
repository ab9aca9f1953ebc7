"""The HTTP front of a cluster on real sockets and disks."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT, heed_ctrl_c
from prometheus_client.parser import text_string_to_metric_families

from pmmc_check.runtime.http_front import HttpFront, Statuses

from .nodes_in_thread import Nodes


def test_the_store_over_http(nodes: Nodes) -> None:
    asked = nodes.asked
    assert asked("GET", "/kv/a%20b/c") == (404, "there is no a b/c\n")
    assert asked("PUT", "/kv/a%20b/c", "some text") == (200, "ok\n")
    assert asked("GET", "/kv/a%20b/c") == (200, "some text")
    assert asked("PUT", "/kv/a%20b/c", "more", if_match="text") == (412, "not changed: the value is some text\n")
    assert asked("PUT", "/kv/a%20b/c", "more", if_match="some text") == (200, "ok\n")
    assert asked("PUT", "/kv/a%20b/c", "most", if_none_match="*") == (412, "not changed: the value is more\n")
    assert asked("DELETE", "/kv/a%20b/c") == (200, "more")
    assert asked("PUT", "/kv/a%20b/c", "new", if_none_match="*") == (200, "ok\n")
    assert asked("POST", "/operation", "get a%20b/c\n") == (200, "new\n")
    assert asked("GET", "/")[1].startswith("GET    /kv/KEY")
    assert asked("GET", "/nosuch") == (404, "no GET /nosuch here; / lists all that there is\n")
    assert asked("POST", "/kv/x", "1") == (405, "no POST /kv/x here; / lists all that there is\n")


@pytest.mark.parametrize(
    ("request_", "headers", "status"),
    [
        (("GET", "/kv/", None), {}, 404),
        (("POST", "/kv/x", "1"), {}, 405),
        (("PUT", "/kv/x", b"\xff"), {}, 400),
        (("PUT", "/kv/x", "x" * (2**20 + 1)), {}, 413),
        (("PUT", "/kv/x", "é" * (2**18)), {}, 413),  # %C3%A9 each
        (("PUT", "/kv/%ff", "1"), {}, 400),
        (("GET", "/kv/a%fe", None), {}, 400),
        (("PUT", "/kv/what?now", "1"), {}, 400),
        (("PUT", "/kv/x", "1"), {"if_match": "*"}, 400),
        (("PUT", "/kv/x", "1"), {"if_match": "gr\xfcn"}, 400),  # Latin-1
        (("PUT", "/kv/x", "1"), {"if_none_match": "1"}, 400),
        (("PUT", "/kv/x", "1"), {"if_match": "1", "if_none_match": "*"}, 400),
        (("PUT", "/kv/x", "1"), {"if_unmodified_since": "Sat, 29 Oct 1994 19:43:31 GMT"}, 400),
        (("DELETE", "/kv/x", None), {"if_match": "*"}, 400),
        (("DELETE", "/kv/x", None), {"if_none_match": "*"}, 400),
        (("GET", "/kv/x", None), {"if_match": "1"}, 400),
        (("GET", "/kv/x", None), {"if_none_match": "1"}, 400),
        (("GET", "/kv/x", None), {"if_modified_since": "Sat, 29 Oct 1994 19:43:31 GMT"}, 400),
        (("POST", "/operation", "put x 1"), {"if_match": "0"}, 400),
        (("PUT", "/kv/x", "1"), {"content_range": "bytes 0-0/9"}, 400),
        (("PUT", "/kv/x", "1"), {"content_encoding": "gzip"}, 415),
        (("POST", "/operation", "add 5"), {}, 400),
        (("POST", "/operation", ""), {}, 400),
        (("POST", "/operation", " \n"), {}, 400),
        (("POST", "/operation", "again 2 x"), {}, 400),
        (("POST", "/operation", "<again>2 1 get x"), {}, 400),
        (("POST", "/operation", f"<again>{'1' * 5000} 1 get x"), {}, 400),
        (("PUT", "/kv/x", "1"), {"origin": "http://elsewhere"}, 403),
        (("GET", "/kv/x", None), {"host": "elsewhere.com"}, 403),
    ],
)
def test_what_makes_no_sense_over_http_is_refused(
    nodes: Nodes, request_: tuple[str, str, str | bytes | None], headers: dict[str, str], status: int
) -> None:
    assert nodes.asked("PUT", "/kv/x", "untouched") == (200, "ok\n")
    assert nodes.asked(*request_, **headers)[0] == status
    assert nodes.asked("GET", "/kv/x") == (200, "untouched")


@pytest.mark.parametrize("value", ["", "x", "x\n", "\n", "-", "%", "error: x", "grün", " a\r\n\0b "])
def test_over_http_a_value_is_got_exactly_as_it_was_put(nodes: Nodes, value: str) -> None:
    assert nodes.asked("PUT", "/kv/exact", value) == (200, "ok\n")
    assert nodes.asked("GET", "/kv/exact") == (200, value)
    assert nodes.asked("DELETE", "/kv/exact") == (200, value)


@pytest.mark.parametrize("key", ["%0A", "a%0Ab", "%2F", "-", "%25", "gr%C3%BCn", "%00"])
def test_over_http_any_text_is_a_key_of_its_own(nodes: Nodes, key: str) -> None:
    assert nodes.asked("PUT", f"/kv/{key}", key) == (200, "ok\n")
    assert nodes.asked("GET", f"/kv/{key}") == (200, key)


def test_over_http_a_delete_with_a_condition_is_one_operation_that_keeps_it(nodes: Nodes) -> None:
    nodes.asked("PUT", "/kv/colour", "grün")
    in_utf8 = "grün".encode().decode("latin-1")  # as it must be told to this library, which encodes headers in Latin-1
    assert nodes.asked("DELETE", "/kv/colour", if_match="nope") == (412, "not changed: the value is grün\n")
    assert nodes.asked("GET", "/kv/colour") == (200, "grün")
    assert nodes.asked("DELETE", "/kv/colour", if_match=in_utf8) == (200, "grün")
    assert nodes.asked("DELETE", "/kv/colour", if_match=in_utf8) == (412, "not changed: there is none\n")


def test_over_http_a_condition_is_read_as_utf8(nodes: Nodes) -> None:
    nodes.asked("PUT", "/kv/colour", "grün")
    assert nodes.asked("PUT", "/kv/colour", "", if_match="grün".encode().decode("latin-1")) == (200, "ok\n")
    assert nodes.asked("PUT", "/kv/colour", "blau", if_match="") == (200, "ok\n")


def test_head_is_answered_like_get_without_the_body_and_other_verbs_are_told_which_there_are(nodes: Nodes) -> None:
    nodes.asked("PUT", "/kv/colour", "green")
    connection = HTTPConnection(*nodes.http, timeout=20)
    connection.request("HEAD", "/kv/colour")
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("content-length"), answer.read()) == (200, "5", b"")
    connection.request("PATCH", "/kv/colour", "x")
    answer = connection.getresponse()
    assert (answer.status, set(str(answer.getheader("allow")).split(", "))) == (405, {"GET", "HEAD", "PUT", "DELETE"})
    connection.close()
    assert nodes.asked("HEAD", "/kv/nosuch")[0] == 404


def test_results_of_operations_over_http_are_texts_of_the_store(nodes: Nodes) -> None:
    assert nodes.asked("POST", "/operation", "put said error:%20x") == (200, "-\n")
    assert nodes.asked("POST", "/operation", "get said") == (200, "error: x\n")


def test_the_help_over_http_fits_a_terminal(nodes: Nodes) -> None:
    assert max(map(len, nodes.asked("GET", "/")[1].splitlines())) <= 80


@pytest.mark.parametrize(
    ("bound", "host", "origin", "answered"),
    [
        ("127.0.0.1", "127.0.0.1:8080", None, True),
        ("127.0.0.1", "127.0.0.1:8080", "http://127.0.0.1:8080", True),
        ("127.0.0.1", "LOCALHOST:8080", "http://localhost:8080", True),
        ("127.0.0.1", "localhost", "http://localhost:80", True),
        ("::1", "[::1]:8080", "http://[::1]:8080", True),
        ("fd00::7", "[fd00::7]:8080", None, True),
        ("store.lan", "store.lan:8080", "http://store.lan:8080", True),
        ("0.0.0.0", "store.lan:8080", None, True),
        ("0.0.0.0", "10.0.0.1:8080", "http://10.0.0.1:8080", True),
        ("127.0.0.1", "127.0.0.1:8080", "http://localhost:8080", False),
        ("127.0.0.1", "127.0.0.1:8080", "http://127.0.0.1:8081", False),
        ("127.0.0.1", "127.0.0.1:8080", "https://127.0.0.1:8080", False),
        ("127.0.0.1", "127.0.0.1:8080", "http://evil.com", False),
        ("127.0.0.1", "127.0.0.1:8080", "null", False),
        ("127.0.0.1", "evil.com:8080", None, False),
        ("127.0.0.1", "evil.com:8080", "http://evil.com:8080", False),
        ("0.0.0.0", "evil.com:8080", "http://evil.com:8080", False),
    ],
)
def test_pages_of_the_front_itself_are_answered_and_those_of_other_sites_are_not(
    bound: str, host: str, origin: str | None, answered: bool
) -> None:
    async def ask(operation: str) -> str:
        return "asked"

    async def statuses() -> Statuses:
        return {}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"put x 1"}

    async def send(message: Any) -> None:
        told.append(message)

    told: list[Any] = []
    headers = [(b"host", host.encode())] + ([(b"origin", origin.encode())] if origin is not None else [])
    asked = {"type": "http", "method": "POST", "path": "/operation", "raw_path": b"/operation", "query_string": b"", "headers": headers}
    asyncio.run(HttpFront(ask, statuses).application(bound)(asked, receive, send))
    assert told[0]["status"] == (200 if answered else 403)


def test_metrics_and_status_tell_how_each_node_is_doing(nodes: Nodes) -> None:
    nodes.asked("PUT", "/kv/x", "1")
    text = nodes.asked("GET", "/metrics")[1]
    found = {each.name: each for each in text_string_to_metric_families(text)}
    up = {sample.labels["node"]: sample.value for sample in found["pmmc_up"].samples}
    assert up == {"A1": 1.0, "L1": 1.0, "R1": 1.0}
    status = json.loads(nodes.asked("GET", "/status")[1])
    (performed,) = found["pmmc_performed_slots"].samples
    assert 0 < performed.value <= status["R1"]["performed"]
    decisions = [each for each in found["pmmc_messages_sent"].samples if each.labels == {"node": "L1", "kind": "decision"}]
    assert decisions[0].value > 0
    assert found["pmmc_request_seconds"].samples


SHOUTING = """
class Shouting:
    def initial(self): return ""
    def apply(self, state, operation): return state + operation.upper(), state + operation.upper()
    def key(self, operation): return None
    def sample(self, choose): return "abc"[choose(3)]
"""


def test_a_run_with_an_http_front_goes_on_until_ctrl_c_and_is_judged_with_a_machine_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "shouting.py").write_text(SHOUTING)
    words = [
        sys.executable,
        "-m",
        "pmmc_check",
        "run",
        "--machine",
        "shouting:Shouting",
        "--http",
        "0",
        "--requests",
        "1",
        "--format",
        "json",
    ]
    process = subprocess.Popen(
        [*words, "--clients", "1", "--replicas", "2", "--leaders", "1"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        preexec_fn=heed_ctrl_c,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        found = re.search(r"http://127.0.0.1:(\d+)/", process.stderr.readline())
        assert found is not None
        connection = HTTPConnection("127.0.0.1", int(found[1]), timeout=20)
        connection.request("POST", "/operation", "xyz")
        assert connection.getresponse().read().decode().strip().endswith("XYZ")
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0, output + errors
    told = json.loads(output)
    assert (told["verdict"], told["answered"], told["asked"], told["linearizable"]) == ("accepted", 2, 2, True)
