"""The page with a cluster's state, in a real browser, of a real cluster."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT, heed_ctrl_c

from pmmc_check.browser_headers import HEADERS

WEB = ROOT / "web"
AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def cluster() -> Iterator[int]:
    """The port of a cluster in which one acceptor after the other is killed."""
    words = [sys.executable, "-m", "pmmc_check", "run", "--machine", "kv", "--http", "0", "--clients", "1", "--requests", "5", "--quiet"]
    process = subprocess.Popen(
        [*words, "--kill", "acceptor", "--every", "2"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        preexec_fn=heed_ctrl_c,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.search(r"http://127.0.0.1:(\d+)/ answers, and shows the cluster in a browser", line)
        assert found is not None, line
        yield int(found[1])
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
        assert process.returncode in (0, 3), output + errors  # 3: not all was answered when it was interrupted
    finally:
        process.kill()
        process.wait()


def get(port: int, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    return answer.status, dict(answer.getheaders()), answer.read()


def opened(context: Any, port: int) -> Any:
    """The page, once it shows the cluster; what it complains of, and whom else it asks, is noted."""
    page = context.new_page()
    page.complaints = []
    page.on("console", lambda message: page.complaints.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("request", lambda request: None if f"127.0.0.1:{port}/" in request.url else page.complaints.append(request.url))
    page.goto(f"http://127.0.0.1:{port}/")
    page.locator("tr[data-node=A3]").wait_for(timeout=30_000)
    return page


def test_what_the_page_is_told(cluster: int) -> None:
    status, headers, body = get(cluster, "/page/state")
    told = json.loads(body)
    assert status == 200
    assert {name: headers.get(name.lower(), headers.get(name)) for name in HEADERS} == HEADERS
    assert sorted(told["nodes"]) == ["A1", "A2", "A3", "C1", "C2", "L1", "L2", "L3", "R1", "R2", "R3"]
    assert {"acceptor", "client", "leader", "replica"} >= {each["role"] for each in told["nodes"].values() if isinstance(each, dict)}
    assert get(cluster, "/page/../status")[0] in (200, 404)
    assert get(cluster, "/page/nothing")[0] == 404


def test_a_browser_is_shown_the_page_and_curl_what_there_is(cluster: int) -> None:
    assert get(cluster, "/", Accept="text/html")[:2][1]["location"] == "/page/"
    assert b"/kv/KEY" in get(cluster, "/")[2]


def test_the_page_shows_nodes_ballots_slots_faults_and_what_is_decided_a_second(chromium: Any, cluster: int) -> None:
    context = chromium.new_context()
    page = opened(context, cluster)
    page.locator("tr .state.is-leads").first.wait_for(timeout=30_000)
    leader = page.locator("tr", has=page.locator(".state.is-leads")).first
    assert re.fullmatch(r"\d+\.L\d", leader.locator(".ballot").inner_text())
    page.locator("tr[data-node=R1] td.number", has_text=re.compile(r"^[1-9]")).first.wait_for(timeout=30_000)
    assert page.locator("tbody tr").count() == 11
    page.locator("p.faults", has_text=re.compile(r"acceptors killed \d+")).wait_for(timeout=30_000)
    for index in range(20):
        get_or_put(cluster, f"k{index}")
    page.locator("dd", has_text=re.compile(r"[1-9]\d* answered, 0 not")).wait_for(timeout=30_000)
    assert "at most" in page.locator(".chart svg").get_attribute("aria-label")
    assert page.complaints == []
    context.close()


def get_or_put(port: int, key: str) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("PUT", f"/kv/{key}", b"1")
    assert connection.getresponse().status == 200


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violations(chromium: Any, cluster: int, scheme: str) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed (npm ci in web/)")
    context = chromium.new_context(bypass_csp=True, color_scheme=scheme)
    page = opened(context, cluster)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run().then(result => result.violations.map(each => [each.id, each.nodes.map(node => node.html)]))")
    assert found == []
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != background
    context.close()


def test_a_cluster_that_is_gone_is_said_to_be(chromium: Any, cluster: int) -> None:
    context = chromium.new_context()
    page = opened(context, cluster)
    context.set_offline(True)
    page.locator(".news.is-lost", has_text="does not answer").wait_for(timeout=30_000)
    assert page.locator("tr[data-node=A3]").count() == 1
    context.close()


def test_the_committed_script_and_style_are_what_the_source_builds_to(tmp_path: Path) -> None:
    if shutil.which("node") is None or not (WEB / "node_modules").exists():
        pytest.skip("web/ is not installed: it takes node, and `npm ci` in web/")
    subprocess.run(["node", "build-cluster.mjs", str(tmp_path)], cwd=WEB, check=True, capture_output=True)
    for name in ("cluster.js", "cluster.css"):
        built = (tmp_path / name).read_text(encoding="utf-8")
        assert built == (ROOT / "pmmc_check/runtime/page" / name).read_text(encoding="utf-8"), f"{name}: run `npm run build` in web/"
