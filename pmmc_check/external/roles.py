"""Role classes whose steps a step server takes."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

from pmmc_check.errors import ProtocolError, did_you_mean
from pmmc_check.external.json_values import as_json, message_as_json, outcome_in
from pmmc_check.external.server import EXPECTED, StepServer, Ticket
from pmmc_check.protocol import PMMC
from pmmc_check.protocol.messages import Message
from pmmc_check.protocol.role import CLAIMS, Outcome, Outcomes, Role, Send, System
from pmmc_check.protocol.values import ROLES, Command, ProcessId
from pmmc_check.trace.errors import Unfit

_STATE, _HISTORY = "state", "history"
_RESTARTED = {"msg": "restart"}
_OFFER_KEYS = ("role", *CLAIMS, "restarts", "sets", "asked-with", "name")


@dataclass(frozen=True)
class RoleOffer:
    """What a server says of one role that it plays.

    `claims` are those of `protocol.role`, which are checked like everybody's; `ignores` and `only_halts` are the paper's claims, made of
    the fields of the state that the paper has, too. `sets` are the arrays without an order. `by_history`: it keeps its states to itself,
    and is asked with all that a process has received.
    """

    role: str
    name: str
    claims: frozenset[str] = frozenset()
    restarts: bool = False
    sets: frozenset[str] = frozenset()
    by_history: bool = False


class ExternalRole(Role):
    """A role that a program plays; its class has one for each that the program offers."""

    offer: ClassVar[RoleOffer]
    server: ClassVar[StepServer]

    def __init__(self, me: ProcessId, system: System) -> None:
        super().__init__(me, system)
        self._papers: Any = PMMC[self.role](me, system)
        self._about = {"me": str(as_json(me)), "system": system_as_json(system)}
        self._histories = Histories()
        self._last: Ticket | None = None
        self._ahead: dict[str, list[Ticket]] = {}

    def start(self, command: Command | None = None) -> Outcome:
        """The program's answer to `start`."""
        outcome = self._single("start", {} if command is None else {"command": as_json(command)})
        self._histories.begin(outcome.state, command)
        return outcome

    def step(self, state: Any, message: Message) -> Outcomes:
        """The program's answer to `step`."""
        asked = {**self._where(state), "message": message_as_json(message)}
        outcomes = self._outcomes("step", asked)
        if self.offer.by_history:
            if len(outcomes) > 1:
                assert self._last is not None
                raise self.server.wrong(self._last, "answered with several outcomes", "one outcome, of a server that is asked with history")
            self._histories.extend(state, asked["message"], outcomes[0].state)
        return outcomes

    def expect(self, method: str, arguments: tuple[Any, ...], times: int) -> None:
        """Asks for a step before the answer is waited for: of several processes at once. A history may still change until then."""
        if method != "step" or self.offer.by_history:
            return
        state, message = arguments
        try:
            asked = {**self._where(state), "message": message_as_json(message)}
        except Unfit:
            return  # the step itself will say what is wrong
        self._ahead.setdefault(repr(asked), []).extend(self._begun("step", asked) for _ in range(times))

    def evidence(self) -> str:
        """The last question and its answer, as lines that follow a message."""
        return self.server.evidence(self._last) if self._last else ""

    def _restarted(self, state: Any) -> Outcome:
        outcome = self._single("restart", self._where(state))
        if self.offer.by_history:
            self._histories.extend(state, _RESTARTED, outcome.state)
        return outcome

    def _where(self, state: Any) -> dict[str, Any]:
        """The state, or all that has led to it, as a question says it."""
        if not self.offer.by_history:
            return {"state": as_json(state)}
        command, history = self._histories.leading_to(state)
        return {"history": history, **({} if command is None else {"command": as_json(command)})}

    def _begun(self, ask: str, asked: dict[str, Any]) -> Ticket:
        return self.server.begin({"ask": ask, **self._about, **asked})

    def _single(self, ask: str, asked: dict[str, Any]) -> Outcome:
        outcomes = self._outcomes(ask, asked)
        if len(outcomes) != 1:
            assert self._last is not None
            raise self.server.wrong(self._last, f"answered with {len(outcomes)} outcomes", f"one outcome of a {ask}")
        return outcomes[0]

    def _outcomes(self, ask: str, asked: dict[str, Any]) -> list[Outcome]:
        ahead = self._ahead.pop(repr(asked), [])
        ticket = self._last = ahead.pop(0) if ahead else self._begun(ask, asked)
        if ahead:
            self._ahead[repr(asked)] = ahead
        answer = self.server.finish(ticket)
        if "error" in answer:
            raise self.server.failed(ticket, str(answer["error"]), is_assertion=True)
        given = answer.get("outcomes")
        if not isinstance(given, list) or not given or set(answer) - {"id", "outcomes"}:
            problem = "answered without outcomes" if not given else f"answered with {', '.join(sorted(set(answer) - {'id', 'outcomes'}))}"
            raise self.server.wrong(ticket, problem, f'{EXPECTED[ask]}, or {{"id":...,"error":"..."}}')
        try:
            return [outcome_in(self.me, each, self.offer.sets) for each in given]
        except Unfit as unfit:
            raise self.server.wrong(ticket, f"gave a wrong outcome: {unfit.problem}", EXPECTED[ask]) from None


class Histories:
    """For each state of one process, what it had received when it was reached: a first way, and the newest other one.

    The two take turns. So a state that does not show all that matters is soon found to be answered in two ways.
    """

    def __init__(self) -> None:
        self._known: dict[Any, list[_Way]] = {}
        self._turns: Counter[Any] = Counter()

    def begin(self, state: Any, command: Command | None) -> None:
        """Notes the first state of a process that was created with `command`."""
        self._note(state, _Way(command, None, None, 0))

    def extend(self, before: Any, message: dict[str, Any], after: Any) -> None:
        """Notes that `message`, received in `before`, has led to `after`; also where these look the same."""
        way = self._known[before][self._turns[before] % len(self._known[before])]
        self._note(after, _Way(way.command, way, message, way.length + 1))

    def leading_to(self, state: Any) -> tuple[Command | None, list[dict[str, Any]]]:
        """With what the process was created, and all that it has received since.

        Raises:
            ProtocolError: the state is none that this process was ever in.
        """
        ways = self._known.get(state)
        if ways is None:
            raise ProtocolError(f"no history is known that leads to the state {state}; a server that is asked with state has no need of it")
        self._turns[state] += 1
        way: _Way | None = ways[self._turns[state] % len(ways)]
        assert way is not None
        command, messages = way.command, deque[dict[str, Any]]()
        while way is not None and way.message is not None:
            messages.appendleft(way.message)
            way = way.before
        return command, list(messages)

    def _note(self, state: Any, way: _Way) -> None:
        ways = self._known.setdefault(state, [])
        if not ways:
            ways.append(way)
        elif way.length <= 2 * ways[0].length + 2:  # what leads round and round is not worth its length
            ways[1:] = [way]


@dataclass(frozen=True, eq=False)
class _Way:
    """One more message, after all that `before` says."""

    command: Command | None
    before: _Way | None
    message: dict[str, Any] | None
    length: int


def roles_of(server: StepServer) -> list[type[Role]]:
    """The roles that a server says it plays.

    Raises:
        UsageError: it cannot be started.
        ServerError: it broke the protocol.
    """
    ticket = server.begin({"ask": "hello"})
    answer = server.finish(ticket)
    given = answer.get("roles", [{key: value for key, value in answer.items() if key != "id"}])
    try:
        if not isinstance(given, list) or not given:
            raise Unfit('"roles": expected a list of objects such as {"role":"acceptor"}')
        offers = [_offer(each, server.name) for each in given]
        names = [each.role for each in offers]
        if len(set(names)) < len(names):
            raise Unfit("each role at most once")
    except Unfit as unfit:
        raise server.wrong(ticket, "did not say which roles it plays", unfit.problem) from None
    return [_role_class(each, server) for each in offers]


def _offer(given: Any, program: str) -> RoleOffer:
    if not isinstance(given, dict):
        raise Unfit('an object such as {"role":"acceptor"}')
    for key in given:
        if key not in _OFFER_KEYS:
            raise Unfit(f"hello has no {key!r}{did_you_mean(key, _OFFER_KEYS)}; some of {', '.join(_OFFER_KEYS)}")
    role = given.get("role")
    if role not in ROLES:
        raise Unfit(f'"role": one of {", ".join(ROLES)}{did_you_mean(str(role), ROLES)}')
    for key in (*CLAIMS, "restarts"):
        if not isinstance(given.get(key, False), bool):
            raise Unfit(f'"{key}": true or false')
    sets = given.get("sets", [])
    if not isinstance(sets, list) or not all(isinstance(each, str) for each in sets):
        raise Unfit('"sets": a list of names of arrays whose order means nothing')
    if given.get("asked-with", _STATE) not in (_STATE, _HISTORY):
        raise Unfit(f'"asked-with": {_STATE} or {_HISTORY}')
    name = given.get("name", program)
    if not isinstance(name, str) or not name.isprintable() or not name:
        raise Unfit('"name": a text')
    claims = frozenset(each for each in CLAIMS if given.get(each))
    return RoleOffer(role, name, claims, given.get("restarts", False), frozenset(sets), given.get("asked-with") == _HISTORY)


def _role_class(offer: RoleOffer, server: StepServer) -> type[Role]:
    """A class that states what the server does."""
    members: dict[str, Any] = {"role": offer.role, "offer": offer, "server": server, "__module__": server.reference}
    members |= {claim: True for claim in ("symmetric", "starts_once") if claim in offer.claims}
    if "ignores" in offer.claims:
        members["ignores"] = _ignores
    if "only_halts" in offer.claims:
        members["only_halts"] = _only_halts
    if offer.restarts:
        members["restart"] = ExternalRole._restarted
    return type(offer.name, (ExternalRole,), members)


def _ignores(self: ExternalRole, state: Any, message: Message) -> bool:
    claimed: bool = self._papers.ignores(state, message)
    return claimed


def _only_halts(self: ExternalRole, state: Any, message: Message, sender: ProcessId | None) -> Sequence[Send] | None:
    claimed: Sequence[Send] | None = self._papers.only_halts(state, message, sender)
    return claimed


@lru_cache(maxsize=64)
def system_as_json(system: System) -> dict[str, Any]:
    """Who takes part, and the bounds, as a question says it; null is no bound."""
    given = [(each.leaders, each.acceptors) for each in system.configurations] or [(system.leaders, system.acceptors)]
    configurations = [
        {
            "leaders": as_json(leaders),
            "acceptors": as_json(acceptors),
            "quorum1": system.quorum1_of(len(acceptors)),
            "quorum2": system.quorum2_of(len(acceptors)),
        }
        for leaders, acceptors in given
    ]
    return {
        "clients": as_json(system.clients),
        "replicas": as_json(system.replicas),
        "configurations": configurations,
        "commands": as_json(system.commands),
        "window": system.window,
        "slots": system.slots,
        "rounds": system.rounds,
    }
