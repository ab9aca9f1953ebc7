"""`explore --serve`: the server by itself, and its page in a real headless Chromium."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT, command, environment, heed_ctrl_c

from pmmc_check.errors import UsageError

pytest.importorskip("starlette", reason="the extra `serve` is not installed")
pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")

from pmmc_check.browser_headers import HEADERS
from pmmc_check.explorer.server.gatekeeper import Gatekeeper, token_from
from pmmc_check.explorer.server.serving import HOST, PORT, ServedAt, listening, served_at

SEEDED = str(ROOT / "specs" / "seeded-fault.spec")


@dataclass
class Served:
    """A running server."""

    process: subprocess.Popen[str]
    url: str

    @property
    def port(self) -> int:
        return int(re.search(r":(\d+)/", self.url)[1])  # type: ignore[index]

    def get(
        self, name: str, headers: dict[str, str] | None = None, url: str | None = None, body: bytes | None = None
    ) -> tuple[int, Any, Any]:
        """Status, headers and text of an answer."""
        request = urllib.request.Request((url or self.url) + name, body, headers or {})
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, response.headers, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    def asked(self, name: str) -> Any:
        return json.loads(self.get(name)[2])

    def post(self, path: str, line: str) -> Any:
        origin = self.url.rsplit("/", 2)[0]
        status, _, text = self.get(
            "command", {"Origin": origin, "Content-Type": "application/json"}, body=json.dumps({"path": path, "line": line}).encode()
        )
        assert status == 200, text
        return json.loads(text)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=60)


def started(*arguments: str, at: str = ":0", **env: str) -> Served:
    process = subprocess.Popen(
        [sys.executable, "-m", "pmmc_check", "explore", *arguments, "--serve", at],
        env=environment({**env}),
        cwd=str(ROOT),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_ctrl_c,
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert url, process.stderr.read() if process.stderr else ""
    return Served(process, url)


@pytest.fixture(scope="module")
def seeded() -> Iterator[Served]:
    served = started(SEEDED)
    yield served
    served.process.kill()
    served.process.wait()


# ---- the server by itself ----


def test_only_who_knows_the_token_is_let_in_and_from_no_other_site(seeded: Served) -> None:
    base = f"http://127.0.0.1:{seeded.port}"
    assert seeded.get("")[0] == 200
    for url in (
        f"{base}/",
        f"{base}/wrong-token-000000000/",
        f"{base}/wrong-token-000000000/state",
        f"{base}/favicon.ico",
        f"{base}/{'x' * 5000}/",
    ):
        status, headers, text = seeded.get("", url=url)
        assert (status, "refused" in text) == (403, True)
        assert headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]
    for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        assert seeded.get("state", headers)[0] == 403
    body = json.dumps({"path": "", "line": "random"}).encode()
    assert seeded.get("command", {"Content-Type": "text/plain"}, body=body)[0] == 403  # a POST says where it comes from
    assert seeded.get("command", {"Origin": f"http://127.0.0.1:{seeded.port + 1}"}, body=body)[0] == 403


def test_nothing_is_served_but_its_own(seeded: Served) -> None:
    for name in ("explorer.html", "../pyproject.toml", "..%2f..%2fpyproject.toml", "%2e%2e/x", "application.py", "docs", "openapi.json"):
        assert seeded.get(name)[0] in (403, 404), name
    for name, kind in (("", "text/html"), ("explorer.js", "text/javascript"), ("explorer.css", "text/css")):
        status, headers, text = seeded.get(name)
        assert status == 200
        assert headers["Content-Type"].startswith(kind)
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "http://" not in text.replace("http://www.w3.org/", "")
        assert "https://" not in text


def test_what_cannot_be_done_is_said_and_the_server_goes_on(seeded: Served) -> None:
    for path in ("99", "1.2.99", "x", "1..2", "9" * 500, "-1"):
        assert "path" in seeded.asked(f"state?path={path}")["error"]
    for line, told in (
        ("", "type a command"),
        ("save x", "the page has it elsewhere"),
        ("fly", "no command"),
        ("crash A1", "--crashes 1"),
        ("until x y", "expected"),
    ):
        assert told in seeded.post("", line)["error"]
    origin = {"Origin": f"http://127.0.0.1:{seeded.port}"}
    for body in (b"", b"[]", b"{", b'{"path": ""}', b"[" * 10_000, b"\xff"):
        assert seeded.get("command", origin, body=body)[0] == 400
    assert seeded.get("command", origin, body=b"x" * 20_000)[0] == 413
    assert seeded.get("", body=b"x", headers=origin)[0] == 403
    assert seeded.asked("state")["depth"] == 0


def test_the_state_answer_is_the_engine_s(seeded: Served) -> None:
    decided = seeded.post("", "until decided")["path"]
    state = seeded.asked(f"state?path={decided}")
    assert (state["path"], state["depth"]) == (decided, len(decided.split(".")))
    assert state["run"]["events"][-1][2].startswith("p2b(")
    broken = seeded.post("", "until violated")["path"]
    assert [name for name, _ in seeded.asked(f"state?path={broken}")["broken"]] == ["ChosenStays"]
    assert "Nobody has sent" in seeded.post("", "why not p2a to A1")["said"]
    assert seeded.asked("why-not?path=&message=p2a")["answers"][0].startswith("Nobody has sent p2a")


def test_the_trace_of_a_state_validates(seeded: Served, tmp_path: Path) -> None:
    path = seeded.post("", "random 8 3")["path"]
    status, headers, text = seeded.get(f"trace?path={path}")
    assert (status, headers["Content-Disposition"]) == (200, 'attachment; filename="run.pmmc"')
    (tmp_path / "run.pmmc").write_text(text, encoding="utf-8")
    assert command("validate", "--quiet", "--variant", "ignore-pmax", str(tmp_path / "run.pmmc")).returncode == 0
    assert "no step has been taken" in seeded.asked("trace?path=")["error"]


def test_the_search_in_the_background_has_a_verdict_and_the_path_of_its_counterexample(seeded: Served) -> None:
    import time  # noqa: PLC0415

    for _ in range(100):
        found = seeded.asked("search")
        if not found["running"]:
            break
        time.sleep(0.2)
    assert (found["verdict"], found["violated"]) == ("violated", "ChosenStays")
    assert seeded.asked(f"state?path={found['path']}")["broken"]


def test_ctrl_c_ends_it_and_a_path_names_the_same_state_after_a_restart() -> None:
    token = "a-token-of-one-s-own-1"
    first = started(SEEDED, PMMC_CHECK_TOKEN=token)
    path = first.post("", "random 6 2")["path"]
    state = first.asked(f"state?path={path}")
    assert first.stop() == 0
    again = started(SEEDED, at=f":{first.port}", PMMC_CHECK_TOKEN=token)
    assert again.url == first.url
    assert again.asked(f"state?path={path}") == state
    taken = command("explore", SEEDED, "--serve", f":{first.port}")
    assert (taken.returncode, "give another port" in taken.stderr) == (2, True)
    assert again.stop() == 0


def test_addresses_and_tokens_are_checked() -> None:
    assert served_at("") == ServedAt(HOST, PORT)
    assert served_at(":0") == ServedAt(HOST, 0)
    assert served_at("localhost:81") == ServedAt("localhost", 81)
    assert served_at("[::1]:82") == ServedAt("::1", 82)
    assert served_at("0.0.0.0") == ServedAt("0.0.0.0", PORT)
    for wrong in (":x", "localhost:99999", "localhost:-1"):
        with pytest.raises(UsageError, match="must be a number from 0 to 65535, such as "):
            served_at(wrong)
    for unknown in ("no-such-host.invalid", "a..b"):
        with pytest.raises(UsageError, match=f"--serve {unknown}: no such host; expected .* such as 127.0.0.1:8642"):
            listening(served_at(unknown))
    assert token_from(None) != token_from(None)
    for short in ("short", "x" * 20 + "/", "x" * 20 + "é"):
        with pytest.raises(UsageError, match="at least 16"):
            token_from(short)
    keeper = Gatekeeper("t" * 20, "192.0.2.7", 80)
    assert keeper.refuses("GET", "t" * 20, {"host": "192.0.2.7:80"}) is None
    assert keeper.refuses("GET", "t" * 20, {"host": "localhost:80"}) is not None
    assert keeper.refuses("GET", "é", {"host": "192.0.2.7:80"}) is not None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--serve", "no.such.host.invalid:1"), "--serve no.such.host.invalid: no such host"),
        (("--format", "json", "--serve"), "leave --format json out"),
        (("--trace-out", "x.pmmc", "--serve"), "leave --trace-out out"),
        (("--slots", "any", "--serve"), "give a number of slots"),
    ],
)
def test_what_cannot_be_served_is_refused(arguments: tuple[str, ...], told: str) -> None:
    done = command("explore", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr


# ---- its page ----


@pytest.fixture
def page(chromium: Any, seeded: Served) -> Iterator[Any]:
    """A tab at the start; what goes wrong in it, and whom else it asks, fails the test."""
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    yield opened(context, seeded)
    context.close()


def opened(context: Any, served: Served, fragment: str = "") -> Any:
    tab = context.new_page()
    tab.set_default_timeout(60_000)
    tab.complaints = []
    tab.on("console", lambda message: tab.complaints.append(message.text) if message.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
    tab.on("request", lambda request: tab.complaints.append(request.url) if not request.url.startswith((served.url, "blob:")) else None)
    tab.goto(f"{served.url}{fragment}")
    tab.locator(".x-choice").first.wait_for()
    return tab


def step_of(tab: Any) -> str:
    return str(tab.locator(".crumbs b").inner_text())


def takes(tab: Any, text: str, step: int) -> None:
    """Takes the first choice with this text; waits for the step."""
    tab.locator(".x-choice", has_text=text).first.click()
    tab.locator(".crumbs b", has_text=f"Step {step}").wait_for()


def test_step_branch_and_back(page: Any, seeded: Served) -> None:
    takes(page, "p1a(0.L1)", 1)
    takes(page, "p1b(A1, 0.L1", 2)
    assert page.locator(".event").count() == 3  # the start, and a row for each step
    assert page.locator(".arrow.own").count() >= 1
    there = page.url
    page.click("#back")
    page.locator(".crumbs b", has_text="Step 1").wait_for()
    assert page.locator(".x-choice .tick").count() == 1
    takes(page, "request(c1)", 2)
    page.get_by_role("tab", name=re.compile("Branches")).click()
    assert page.locator(".tree li").count() == 3
    page.locator(".tree button", has_text="p1b(A1").click()
    page.wait_for_url(there)
    page.keyboard.press("ArrowLeft")
    page.locator(".crumbs b", has_text="Step 1").wait_for()
    page.keyboard.press("ArrowRight")
    page.locator(".crumbs b", has_text="Step 2").wait_for()
    page.keyboard.press("1")
    page.locator(".crumbs b", has_text="Step 3").wait_for()
    assert page.complaints == []


def test_the_diagram_has_a_row_for_each_step_and_leads_back(page: Any) -> None:
    page.get_by_role("button", name="until decided").click()
    page.locator(".crumbs b", has_text="Step 7").wait_for()
    assert [each.strip() for each in page.locator(".event .number").all_inner_texts()] == [str(each) for each in range(8)]
    assert page.locator(".event .badge.decision").count() == 1
    page.locator('.event[data-event="3"]').click()
    page.locator(".crumbs b", has_text="Step 3").wait_for()
    assert page.complaints == []


def test_two_tabs_are_independent_and_an_address_names_a_state(chromium: Any, seeded: Served) -> None:
    context = chromium.new_context()
    one, other = opened(context, seeded), opened(context, seeded)
    takes(one, "p1a(0.L1)", 1)
    takes(other, "p1a(0.L2)", 1)
    takes(other, "p1b(A1, 0.L2", 2)
    assert (step_of(one), step_of(other)) == ("Step 1", "Step 2")
    one.get_by_role("tab", name=re.compile("Branches")).click()
    assert "Branches (2)" in one.locator(".x-tabs").inner_text()
    third = opened(context, seeded, "#" + other.url.split("#")[1])
    assert step_of(third) == "Step 2"
    third.reload()
    third.locator(".crumbs b", has_text="Step 2").wait_for()
    assert [one.complaints, other.complaints, third.complaints] == [[], [], []]
    context.close()


def test_the_search_leads_to_its_counterexample_where_the_invariant_is_broken(page: Any) -> None:
    page.locator("#counterexample").click()
    page.locator(".alert.is-broken", has_text="ChosenStays is broken").wait_for()
    assert page.locator(".event.current.failing.deviation").count() == 1
    assert page.locator(".event.past").count() >= 3
    page.get_by_role("tab", name=re.compile("Properties")).click()
    assert "broken here" in page.locator(".properties .is-broken").inner_text()
    page.click("#back")
    page.locator(".alert.is-broken").wait_for(state="detached")
    assert page.complaints == []


def test_why_not_commands_and_mistakes_are_answered_on_the_page(page: Any) -> None:
    page.fill("#why", "p2a(0.L1) to A1")
    page.press("#why", "Enter")
    page.locator(".said", has_text="L1 is waiting for ballot 0.L1 to be adopted.").wait_for()
    page.fill("#command", "until leader[L2].active")
    page.press("#command", "Enter")
    page.locator(".crumbs b", has_text="Step 3").wait_for()
    page.fill("#command", "<img src=x onerror=alert(1)>")
    page.press("#command", "Enter")
    page.locator(".said", has_text="there is no command <img").wait_for()
    assert page.locator(".said img").count() == 0
    with page.expect_download() as saved:
        page.click("#save")
    assert saved.value.suggested_filename == "run.pmmc"
    assert Path(saved.value.path()).read_text(encoding="utf-8").startswith("pmmc-trace 1")
    page.goto(page.url.split("#")[0] + "#9.9.9")
    page.locator(".alert", has_text="the path 9.9.9 ends at its step").wait_for()
    assert page.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_core_finds_nothing_to_complain_about(chromium: Any, seeded: Served, scheme: str) -> None:
    axe = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
    if not axe.exists():
        pytest.skip("axe-core is not installed (npm ci in web/)")
    context = chromium.new_context(bypass_csp=True, color_scheme=scheme, viewport={"width": 1400, "height": 900})
    tab = opened(context, seeded)
    takes(tab, "p1a(0.L1)", 1)
    tab.locator("#counterexample").click()
    tab.locator(".alert.is-broken").wait_for()
    tab.evaluate(axe.read_text(encoding="utf-8"))
    for name in ("State", "Properties", "Branches"):
        tab.get_by_role("tab", name=re.compile(name)).click()
        found = tab.evaluate("axe.run(document)")
        assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []
    context.close()


def test_a_page_of_another_site_cannot_ask(chromium: Any, seeded: Served, tmp_path: Path) -> None:
    context = chromium.new_context()
    stranger = context.new_page()
    stranger.goto("data:text/html,<title>elsewhere</title>")
    answer = stranger.evaluate("url => fetch(url).then(r => r.status + ' ' + r.type, e => 'failed')", f"{seeded.url}state")
    assert answer == "failed"
    posted = stranger.evaluate(
        "url => fetch(url, {method: 'POST', mode: 'no-cors', body: '{}'}).then(r => r.type + r.status, e => 'failed')",
        f"{seeded.url}command",
    )
    assert posted in ("failed", "opaque0")
    stranger.set_content(f'<iframe src="{seeded.url}"></iframe>')
    stranger.wait_for_timeout(500)
    assert all("pmmc-check" not in (frame.title() or "") for frame in stranger.frames[1:])
    wrong = context.new_page()
    assert wrong.goto(f"http://127.0.0.1:{seeded.port}/wrong-token-00000000/").status == 403
    context.close()


def test_no_other_process_of_the_machine_is_let_in_by_a_name_that_leads_here(seeded: Served) -> None:
    """DNS rebinding: a name of somebody else's that resolves to 127.0.0.1."""
    with socket.create_connection(("127.0.0.1", seeded.port), timeout=10) as raw:
        path = "/" + seeded.url.split("/", 3)[3] + "state"
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: rebound.example:{seeded.port}\r\nConnection: close\r\n\r\n".encode())
        assert raw.recv(4096).split()[1] == b"403"


def test_the_committed_script_and_style_are_what_the_source_builds_to(tmp_path: Path) -> None:
    if shutil.which("node") is None or not (ROOT / "web" / "node_modules").exists():
        pytest.skip("web/ is not installed: it takes node, and `npm ci` in web/")
    subprocess.run(["node", "build-explorer.mjs", str(tmp_path)], cwd=ROOT / "web", check=True, capture_output=True)
    for name in ("explorer.js", "explorer.css"):
        built = (tmp_path / name).read_text(encoding="utf-8")
        assert built == (ROOT / "pmmc_check/explorer/server/assets" / name).read_text(encoding="utf-8"), (
            f"{name}: run `npm run build` in web/"
        )


def test_the_script_makes_elements_and_never_markup() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "web" / "src" / "explorer").glob("*.ts")))
    for risky in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
        assert risky not in source, risky
