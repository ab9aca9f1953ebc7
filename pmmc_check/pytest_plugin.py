"""The pytest plugin (docs/api.md): fixtures, and specs and traces collected as tests. All but pytest is imported on use."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import pytest

if TYPE_CHECKING:
    from pmmc_check.api.exploration import Exploration
    from pmmc_check.api.gatekeeping import GateReport
    from pmmc_check.api.simulating import SimulatedRun
    from pmmc_check.api.validating import Validation
    from pmmc_check.trace.recorder import TraceWriter

COLLECT = "pmmc_collect"
TRACE_SUFFIXES = (".pmmc", ".pmmc.gz")
_SECTION = "pmmc-check report"
_SPEC_SUFFIX = ".spec"
_GOOD = ("holds", "accepted", "as expected")

P = ParamSpec("P")
Found = TypeVar("Found", "Exploration", "Validation", "GateReport")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The ini option."""
    parser.addini(COLLECT, "collect *.spec and *.pmmc files as tests (pmmc-check)", type="bool", default=False)


class Pmmc:
    """What the fixture `pmmc` offers. Reports of results that are not good are attached to the test."""

    def __init__(self, item: pytest.Item) -> None:
        self._item = item

    @property
    def explore(self) -> Callable[..., Exploration]:
        """`pmmc_check.explore`."""
        from pmmc_check.api.exploring import explore

        return self._attaching(explore)

    @property
    def validate(self) -> Callable[..., Validation]:
        """`pmmc_check.validate`."""
        from pmmc_check.api.validating import validate

        return self._attaching(validate)

    @property
    def gate(self) -> Callable[..., GateReport]:
        """`pmmc_check.gate`."""
        from pmmc_check.api.gatekeeping import gate

        return self._attaching(gate)

    @property
    def simulate(self) -> Callable[..., SimulatedRun]:
        """`pmmc_check.simulate`."""
        from pmmc_check.api.simulating import simulate

        return simulate

    def _attaching(self, function: Callable[P, Found]) -> Callable[P, Found]:
        @wraps(function)
        def attaching(*positional: P.args, **named: P.kwargs) -> Found:
            found = function(*positional, **named)
            if found.verdict not in _GOOD:
                self._item.add_report_section("call", _SECTION, found.text())
            return found

        return attaching


class PmmcTrace:
    """What the fixture `pmmc_trace` offers: an in-process recorder for each process, judged when the test ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writers: dict[str, TraceWriter] = {}
        self._configured = False

    def configure(self, logs: dict[str, str | list[str]], **settings: object) -> None:
        """The header: what each log records (`{"A1": "complete"}`), and the settings `replicas`, `leaders`, `acceptors`, `window`, ..."""
        from pmmc_check.trace.recorder import TraceWriter

        TraceWriter.header(self.folder / "config.jsonl", logs, **settings)
        self._configured = True

    def writer(self, name: str) -> TraceWriter:
        """The recorder of the process `name`, always the same one."""
        from pmmc_check.trace.recorder import TraceWriter

        if name not in self._writers:
            self._writers[name] = TraceWriter(self.folder / f"{name}.jsonl", name)
        return self._writers[name]

    def validation(self) -> Validation | None:
        """Closes the logs and judges them; None where nothing was configured or recorded.

        Raises:
            UsageError: something was recorded, but `configure` was never called.
        """
        from pmmc_check.api.validating import validate
        from pmmc_check.errors import UsageError

        for each in self._writers.values():
            each.close()
        if not self._writers and not self._configured:
            return None
        if not self._configured:
            raise UsageError("pmmc_trace.configure(...) was never called, so nobody knows what the logs promise; call it before recording")
        return validate(self.folder)


@pytest.fixture
def pmmc(request: pytest.FixtureRequest) -> Pmmc:
    """`pmmc.explore(...)`, `pmmc.validate(...)`, `pmmc.simulate(...)`: the Python API, with reports attached to failures."""
    return Pmmc(request.node)


@pytest.fixture
def pmmc_trace(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PmmcTrace]:
    """Records what the test's processes do; when the test ends, the recorded run must be accepted."""
    recording = PmmcTrace(tmp_path_factory.mktemp("pmmc-trace"))
    yield recording
    from pmmc_check.errors import PmmcError

    try:
        found = recording.validation()
    except PmmcError as error:
        pytest.fail(str(error), pytrace=False)
    if found is not None and not found.accepted:
        request.node.add_report_section("teardown", _SECTION, found.text())
        pytest.fail(found.explanation().rstrip(), pytrace=False)


class SpecFile(pytest.File):
    """A `*.spec` file: one test, called after the verdict that the spec expects."""

    def collect(self) -> Iterator[pytest.Item]:
        """The test that what the spec expects comes out; without `EXPECT`, that it holds."""
        from pmmc_check.errors import PmmcError
        from pmmc_check.spec.document import read_spec

        try:
            expected = read_spec(_shown(self.path)).expected[0] or "holds"
        except PmmcError:
            expected = "holds"  # the test says what is wrong with it
        yield SpecItem.from_parent(self, name=expected)


class SpecItem(pytest.Item):
    """The test that a spec has the verdict that it expects."""

    def runtest(self) -> None:
        """Searches."""
        from pmmc_check.api.exploring import explore

        found = explore(Path(_shown(self.path)))
        if not (found.holds if found.as_expected is None else found.as_expected):
            self.add_report_section("call", _SECTION, found.text())
        found.assert_as_expected()

    def reportinfo(self) -> tuple[Path, int, str]:
        """The file is the test."""
        return self.path, 0, f"{self.path.name}: {self.name}"


class TraceFile(pytest.File):
    """A `*.pmmc` file, or the folder of a trace in parts: one test, called after the verdict that its header expects."""

    def collect(self) -> Iterator[pytest.Item]:
        """The test that its verdict is that of `meta.expect`; without it, that it is accepted."""
        from pmmc_check.trace.errors import TraceError
        from pmmc_check.trace.header import EXPECT
        from pmmc_check.trace.readers.reader import open_trace

        parts = _parts_beside(self.path)
        trace = self.path.parent if parts else self.path
        try:
            expected = dict(open_trace(trace, parts).header.meta).get(EXPECT, "accepted")
        except TraceError:
            expected = "accepted"  # the test says what is wrong with it
        yield TraceItem.from_parent(self, name=expected, trace=trace)


class TraceItem(pytest.Item):
    """The test that a trace has the verdict that is expected of it."""

    def __init__(self, name: str, parent: TraceFile, trace: Path) -> None:
        super().__init__(name, parent)
        self.trace = trace

    def runtest(self) -> None:
        """Judges it."""
        from pmmc_check.api.failure import CheckFailed
        from pmmc_check.api.validating import validate

        found = validate(_shown(self.trace))
        if found.verdict == self.name:
            return
        self.add_report_section("call", _SECTION, found.text())
        if self.name == "accepted":
            found.assert_accepted()
        raise CheckFailed(f"{_shown(self.trace)}: {found.verdict}, expected {self.name} (meta.expect)\n{found.explanation()}".rstrip())

    def reportinfo(self) -> tuple[Path, int, str]:
        """The file is the test."""
        return self.path, 0, f"{self.trace.name}: {self.name}"


def _shown(path: Path) -> str:
    """A path as short as a user would write it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> SpecFile | TraceFile | None:
    """Takes specs and traces that are named on the command line, and all where the ini option asks for it;
    of a trace in parts the first part stands for all."""
    spec, trace = file_path.name.endswith(_SPEC_SUFFIX), file_path.name.endswith(TRACE_SUFFIXES)
    if not (spec or trace) or not (parent.config.getini(COLLECT) or parent.session.isinitpath(file_path)):
        return None
    if spec:
        return SpecFile.from_parent(parent, path=file_path)
    parts = [each for each in _parts_beside(file_path) if each.name.endswith(TRACE_SUFFIXES)]
    return TraceFile.from_parent(parent, path=file_path) if not parts or file_path == parts[0] else None


def _parts_beside(path: Path) -> tuple[Path, ...]:
    """The parts of the trace to which a file belongs; none where it is a trace of its own."""
    from pmmc_check.trace.sources import traces_inside

    first = next(traces_inside(path.parent), None)
    return first.parts if first is not None and path in first.parts else ()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where in this library something is raised tells a user nothing: `assert_holds` and the like fail with the explanation only, and a
    spec or a trace that cannot be used with its message."""
    report = yield
    if report.failed and call.excinfo is not None:
        from pmmc_check.api.failure import CheckFailed
        from pmmc_check.errors import PmmcError

        if isinstance(call.excinfo.value, CheckFailed) or (
            isinstance(item, SpecItem | TraceItem) and isinstance(call.excinfo.value, PmmcError)
        ):
            report.longrepr = str(call.excinfo.value)
    return report
