"""The pytest plugin (docs/api.md): fixtures, and traces collected as tests. All but pytest is imported on use."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import pytest

if TYPE_CHECKING:
    from pmmc_check.api.exploration import Exploration
    from pmmc_check.api.simulating import SimulatedRun
    from pmmc_check.api.validating import Validation
    from pmmc_check.trace.recorder import TraceWriter

COLLECT = "pmmc_collect"
TRACE_SUFFIX = ".pmmc"
_SECTION = "pmmc-check report"

P = ParamSpec("P")
Found = TypeVar("Found", "Exploration", "Validation")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The ini option."""
    parser.addini(COLLECT, f"collect *{TRACE_SUFFIX} files as tests (pmmc-check)", type="bool", default=False)


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
    def simulate(self) -> Callable[..., SimulatedRun]:
        """`pmmc_check.simulate`."""
        from pmmc_check.api.simulating import simulate

        return simulate

    def _attaching(self, function: Callable[P, Found]) -> Callable[P, Found]:
        @wraps(function)
        def attaching(*positional: P.args, **named: P.kwargs) -> Found:
            found = function(*positional, **named)
            if found.verdict not in ("holds", "accepted"):
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


class TraceFile(pytest.File):
    """A `*.pmmc` file: one test."""

    def collect(self) -> Iterator[pytest.Item]:
        """The test that it is accepted."""
        yield TraceItem.from_parent(self, name="accepted")


class TraceItem(pytest.Item):
    """The test that a trace is accepted."""

    def runtest(self) -> None:
        """Judges it."""
        from pmmc_check.api.validating import validate

        found = validate(self.path)
        if not found.accepted:
            self.add_report_section("call", _SECTION, found.text())
        found.assert_accepted()

    def reportinfo(self) -> tuple[Path, int, str]:
        """The file is the test."""
        return self.path, 0, self.path.name


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> TraceFile | None:
    """Takes traces where the ini option asks for it."""
    if file_path.suffix == TRACE_SUFFIX and parent.config.getini(COLLECT):
        return TraceFile.from_parent(parent, path=file_path)
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """`assert_holds` and `assert_accepted` fail with the explanation only: where in this library that is raised tells a user nothing."""
    report = yield
    if report.failed and call.excinfo is not None and isinstance(call.excinfo.value, AssertionError):
        from pmmc_check.api.failure import CheckFailed

        if isinstance(call.excinfo.value, CheckFailed):
            report.longrepr = str(call.excinfo.value)
    return report
