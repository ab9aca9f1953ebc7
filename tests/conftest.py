"""What tests of several folders share: one Chromium for all of them, since Playwright can run only once in a process; which of
them run by default, how they are shared out, and what is done about garbage."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("whatever the load", deadline=None)
settings.load_profile("whatever the load")

_FLAGS = "no-sandbox disable-gpu disable-quic no-first-run disable-background-networking disable-component-update disable-sync"
ARGUMENTS = [f"--{each}" for each in _FLAGS.split()]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where parameters multiply, `one_in(n)` leaves a diagonal in the default suite: with n prime to how many values each parameter has,
    each value is still met. What is slow anyway does not count."""
    met: Counter[str] = Counter()
    for item in items:
        thinned = item.get_closest_marker("one_in")
        if thinned is None or item.get_closest_marker("slow"):
            continue
        function = item.nodeid.partition("[")[0]
        if met[function] % thinned.args[0]:
            item.add_marker(pytest.mark.slow)
        met[function] += 1


def pytest_collection_finish() -> None:
    """What has been collected stays to the end, so looking for cycles in it costs much and finds nothing: it is left out of every search
    for garbage, and there are fewer of these."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 10, 10)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Behind each file memory goes back to the system: the tables of a thousand searches leave gaps that the next ones do not fit into."""
    if nextitem is None or nextitem.path != item.path:
        gc.collect()
        with suppress(AttributeError, OSError):  # not every C library can
            ctypes.CDLL(None).malloc_trim(0)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """For `-n auto` one more than there are cores: dozens of tests wait for a browser, a cluster, a signal or a time limit."""
    return None if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ else (os.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Each file goes to one process as a whole: what its tests share is computed once, and kept in one process only."""
    from xdist.scheduler import LoadFileScheduling  # noqa: PLC0415  (only where pytest-xdist is, as this hook)

    return LoadFileScheduling(config, log) if config.getoption("dist") == "load" else None


def chromium_path() -> str | None:
    return next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install -e '.[test]')")
    path = chromium_path()
    if path is None:
        pytest.skip("no chromium: install it to test the pages (apt-get install chromium)")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(autouse=True)
def no_loop_of_the_browser(request: pytest.FixtureRequest) -> Iterator[None]:
    """Once Chromium runs, Playwright's event loop counts as running between its calls; a test without a browser may have one of its own."""
    loop = None if "chromium" in request.fixturenames else asyncio._get_running_loop()
    if loop is not None:
        asyncio._set_running_loop(None)
    yield
    if loop is not None:
        asyncio._set_running_loop(loop)
