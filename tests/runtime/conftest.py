"""What tests of the live cluster share."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from helpers import in_process as helpers_in_process

from .cluster_files import Told
from .nodes_in_thread import Nodes


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    """The command, in this process."""
    return partial(helpers_in_process, capsys)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    made = Nodes(tmp_path_factory.mktemp("cluster"))
    yield made
    made.close()
