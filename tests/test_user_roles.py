"""Roles that users hand in with --protocol: good ones are checked as the stock ones are, bad ones get one clear line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers import ROOT, assert_one_clear_line, command, compiled, environment, in_process, options, small

import pmmc_check
from pmmc_check.model.model import Model
from pmmc_check.protocol import Acceptor, Commander, Leader, Replica, Role, Scout, variant

HEAD = """\
from dataclasses import dataclass, replace
from random import random
from pmmc_check.protocol import *
from pmmc_check.protocol.values import BOTTOM
"""
SIZE = options(acceptors=1, leaders=1, replicas=1, slots=1)


HandedIn = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def handed_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[HandedIn]:
    """Runs the command with a text as the module `mine`, and --protocol `reference`."""

    def run(body: str, *arguments: str, reference: str = "mine:Mine") -> subprocess.CompletedProcess[str]:
        (tmp_path / "mine.py").write_text(HEAD + body, encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        sys.modules.pop("mine", None)
        return in_process(capsys, "explore", *SIZE, "--protocol", reference, *arguments)

    yield run
    sys.modules.pop("mine", None)


def in_a_process(folder: Path, body: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The same by the real command."""
    (folder / "mine.py").write_text(HEAD + body, encoding="utf-8")
    return command("explore", *SIZE, "--protocol", "mine:Mine", *arguments, env={"PYTHONPATH": _path(folder)})


def _path(folder: Path) -> str:
    return ":".join(filter(None, [str(folder), str(ROOT), environment().get("PYTHONPATH", "")]))


LOADING = {
    "no colon": ("mine", "expected module:object"),
    "nothing before the colon": (":Mine", "expected module:object"),
    "no such module": ("nowhere:Mine", "there is no module nowhere"),
    "no such attribute": ("mine:Yours", "module mine has no Yours"),
    "a function": ("mine:function", "is no role"),
    "an instance": ("mine:instance", "is no role"),
    "a class that is no role": ("mine:Other", "is no role"),
    "a role without a name": ("mine:Nameless", "does not say which role it plays"),
    "a role with an unknown name": ("mine:Unknown", "does not say which role it plays"),
    "two acceptors": ("mine:twice", "two classes play one role, acceptor: First ("),
    "a list with something else in it": ("mine:several", "is no role"),
}
LOADED = """
def function(): ...
class Other: ...
class Nameless(Role): ...
class Unknown(Role): role = "proposer"
instance = Other()
several = [Acceptor, 3]
class First(Acceptor): ...
class Second(Acceptor): ...
twice = {"acceptor": First, "leader": Leader, "another": Second}
"""


@pytest.mark.parametrize(("reference", "text"), LOADING.values(), ids=LOADING)
def test_what_cannot_be_loaded_is_named_with_what_was_expected(handed_in: HandedIn, reference: str, text: str) -> None:
    assert_one_clear_line(handed_in(LOADED, reference=reference), f"--protocol {reference}", text)


@pytest.mark.parametrize("body", ["import nowhere_at_all", "this is no Python", "1 / 0"])
def test_a_module_that_cannot_be_imported_is_named_with_the_reason(handed_in: HandedIn, body: str) -> None:
    assert_one_clear_line(handed_in(body), "--protocol mine:Mine", "import")


def _acceptor(step: str, rest: str = "") -> str:
    return f"class Mine(Acceptor):\n    def step(self, state, message):\n        {step}\n{rest}"


BROKEN = {
    "a step that raises": (_acceptor("raise ValueError('out of order')"), "Mine.step of A1 raised ValueError: out of order"),
    "a step that raises in two lines": (_acceptor("raise ValueError('out\\nof order')"), "Mine.step of A1 raised ValueError"),
    "a step that returns nothing": (_acceptor("return None"), "Mine.step of A1 returned None (called with"),
    "a step without an outcome": (_acceptor("return []"), "Mine.step of A1 returned no outcome"),
    "a step that returns states": (_acceptor("return [state]"), "expected an Outcome"),
    "a step that returns one outcome instead of several": (_acceptor("return Outcome(state)"), "returned an Outcome by itself"),
    "an outcome without sends": (_acceptor("return [Outcome(state, None)]"), "Mine.step of A1"),
    "sends that are no tuple of Send": (_acceptor("return [Outcome(state, (message,))]"), "expected a Send(to, message)"),
    "a send of something that is no message": (
        _acceptor("return [Outcome(state, (Send(self.me, 'p1b'),))]"),
        "expected a Send(to, message)",
    ),
    "an unknown recipient": (
        _acceptor("return [Outcome(state, (Send(ProcessId('acceptor', 7), message),))]"),
        "to A7, which does not exist in this configuration",
    ),
    "a recipient that is no process": (
        _acceptor("return [Outcome(state, (Send('A1', message),))]"),
        "to A1, which does not exist in this configuration",
    ),
    "a random step": (
        _acceptor("return [Outcome(replace(state, ballot=Ballot(0, int(random() * 1e9))))]"),
        "Mine.step is not deterministic",
    ),
    "a step that counts its calls": (
        _acceptor("Mine.calls += 1; return [Outcome(replace(state, ballot=Ballot(Mine.calls, 1)))]", "    calls = 0\n"),
        "Mine.step is not deterministic",
    ),
    "an unhashable state": (_acceptor("return [Outcome([1])]"), "Mine.step of A1"),
    "an unhashable start": ("class Mine(Acceptor):\n    def start(self, command=None):\n        return Outcome([1])\n", "Mine.start of A1"),
    "a start that is no outcome": (
        "class Mine(Acceptor):\n    def start(self, command=None):\n        return AcceptorState()\n",
        "expected an Outcome",
    ),
    "no step at all": ("class Mine(Role):\n    role = 'acceptor'\n    start = Acceptor.start\n", "Mine does not define step()"),
    "no start at all": ("class Mine(Role):\n    role = 'acceptor'\n    step = Acceptor.step\n", "Mine does not define start()"),
    "a constructor that raises": ("class Mine(Acceptor):\n    def __init__(self, me, system):\n        raise ValueError('no')\n", "Mine"),
    "a state of an unsupported type": (_acceptor("return [Outcome(0.5)]"), "0.5 of type float cannot be part of a state"),
    "a state without the paper's fields": (_acceptor("return [Outcome(3)]"), "cannot read the state of A1 (Mine)"),
    "a ballot of another type": (_acceptor("return [Outcome(replace(state, ballot=None))]"), "A1"),
    "accepted pvalues of another type": (_acceptor("return [Outcome(replace(state, accepted=()))]"), "A1"),
    "accepted pvalues that are no pvalues": (_acceptor("return [Outcome(replace(state, accepted=frozenset({1})))]"), "A1"),
    "a claim that raises": (
        "class Mine(Acceptor):\n    def ignores(self, state, message):\n        raise ValueError('no')\n",
        "Mine.ignores of A1 raised ValueError: no",
    ),
}


NOT_ASKED_BY_THE_REFERENCE = {BROKEN["a claim that raises"][1], BROKEN["a state of an unsupported type"][1]}


@pytest.mark.parametrize("engine", ["compiled", "reference"])
@pytest.mark.parametrize(("body", "text"), BROKEN.values(), ids=BROKEN)
def test_a_role_that_breaks_the_contract_is_bad_input_that_says_what_is_wrong(
    handed_in: HandedIn, body: str, text: str, engine: str
) -> None:
    if engine == "reference" and text in NOT_ASKED_BY_THE_REFERENCE:
        pytest.skip("the reference search asks for no claims and no digests")
    assert_one_clear_line(handed_in(body, "--engine", engine), text)


def test_the_real_command_says_so_in_one_line_too(tmp_path: Path) -> None:
    body, text = BROKEN["a random step"]
    assert_one_clear_line(in_a_process(tmp_path, body), text)


@pytest.mark.parametrize("name", ["Mine", "listed", "mapped"])
def test_a_class_a_list_and_a_mapping_of_classes_can_be_handed_in(handed_in: HandedIn, name: str) -> None:
    body = "class Mine(Acceptor): ...\nlisted = [Mine, Scout]\nmapped = {'acceptor': Mine}\n"
    done = handed_in(body, "--format", "json", reference=f"mine:{name}")
    assert (done.returncode, json.loads(done.stdout)["verdict"]) == (0, "holds"), done.stderr


def test_two_classes_of_one_role_are_refused_with_both_places_wherever_they_come_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("two_acceptors.py").write_text(
        "from pmmc_check.protocol import Acceptor\nclass First(Acceptor): ...\nclass Second(Acceptor): ...\n"
    )
    both = ["--protocol", "two_acceptors:First", "--protocol", "two_acceptors:Second"]
    file = tmp_path / "two_acceptors.py"
    said = f"two classes play one role, acceptor: First ({file}:2) and Second ({file}:3); leave one of them out"
    assert_one_clear_line(in_process(capsys, "explore", *SIZE, *both), f"--protocol two_acceptors:Second: {said}")
    Path("two.spec").write_text("SLOTS 1\nPROTOCOL two_acceptors:First, two_acceptors:Second\n")
    assert f"two.spec:2:1: PROTOCOL two_acceptors:Second: {said}" in in_process(capsys, "explore", "two.spec").stderr
    import two_acceptors  # type: ignore[import-not-found]  # noqa: PLC0415

    with pytest.raises(pmmc_check.UsageError, match=r"two classes play one role, acceptor: First \("):
        pmmc_check.explore(roles=[two_acceptors.First, two_acceptors.Second])
    same = ["--protocol", "two_acceptors:First", "--protocol", "two_acceptors:First", "--quiet"]
    assert in_process(capsys, "explore", *SIZE, *same).returncode == 0


def test_a_module_in_the_current_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "here.py").write_text(HEAD + "class Mine(Acceptor): ...\n", encoding="utf-8")
    done = command("explore", *SIZE, "--protocol", "here:Mine", cwd=tmp_path, env={"PYTHONPATH": _path(tmp_path / "elsewhere")})
    assert done.returncode == 0, done.stderr


def test_a_faulty_role_is_violated_with_a_counterexample(handed_in: HandedIn) -> None:
    body = "class Mine(Acceptor):\n    def promise(self, state, message):\n"
    body += "        return Outcome(AcceptorState(message.ballot, state.accepted), ())\n"
    done = handed_in(body, "--leaders", "2", "--format", "json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["violation"]["property"]) == (1, "A1")
    assert answer["violation"]["message"] == "the ballot of A1 fell from 0.L2 to 0.L1"


def test_a_note_says_that_symmetry_is_off_for_a_role_that_does_not_claim_it(handed_in: HandedIn) -> None:
    done = handed_in("class Mine(Acceptor): ...\n")
    assert "symmetry is off: Mine does not state `symmetric = True`" in done.stdout


@pytest.mark.parametrize("stock", [Acceptor, Commander, Leader, Replica, Scout])
@pytest.mark.parametrize(
    "reduce", [*(pytest.param(each, marks=pytest.mark.slow) for each in ("inert", "halting", "deferral")), "inert,deferral,halting"]
)
def test_a_role_that_states_no_claims_gives_the_same_verdict_and_observed_facts_as_the_stock_role(stock: type[Role], reduce: str) -> None:
    class Mine(stock):  # type: ignore[valid-type,misc]
        pass

    config = small(leaders=2, replicas=1, commands=2)
    mine, plain = compiled(config, variant(Mine), reduce), compiled(config, reduce="none")
    assert mine[1].verdict == plain[1].verdict == "holds"
    assert _facts(mine[0]) == _facts(plain[0])
    assert mine[1].distinct_states >= compiled(config, reduce=reduce)[1].distinct_states


def _facts(search: object) -> set[frozenset[object]]:
    return {frozenset(each.items()) for each in search.known.observed.values()}  # type: ignore[attr-defined]


def test_a_model_of_a_handed_in_role_runs_that_role() -> None:
    class Mine(Acceptor):
        pass

    model = Model(small(), variant(Mine))
    assert {type(role) for process, role in model.roles.items() if process.role == "acceptor"} == {Mine}
