"""The example servers in Rust, Go, Java and C++: built where their toolchain is, they are the paper's acceptor; the bug behind their flag
is found with its shortest run."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from helpers import REDUCTIONS, ROOT, explore, options

SOURCES = ROOT / "pmmc_check" / "examples" / "step-servers"
GSON = "/usr/share/java/gson.jar"


class Example(NamedTuple):
    """`needs`: commands and files; `builds` and `runs` as docs/any-language.md has them."""

    needs: tuple[str, ...]
    builds: str
    runs: str


EXAMPLES = {
    "cpp": Example(("g++", "/usr/include/nlohmann/json.hpp"), "g++ -std=c++17 -O0 -o acceptor-step acceptor.cpp", "{}/acceptor-step"),
    "go": Example(("go",), "go build -o acceptor-step acceptor.go", "{}/acceptor-step"),
    "java": Example(
        ("java", "javac", GSON),
        f"javac -cp {GSON} -d classes AcceptorStep.java",
        f"java -XX:TieredStopAtLevel=1 -cp {{}}/classes:{GSON} AcceptorStep",
    ),
    "rust": Example(
        ("cargo", "/usr/share/cargo/registry/serde_json-1"), "cargo build --release --offline", "{}/target/release/acceptor-step"
    ),
}
BY_DEFAULT = "go"
"""The others take seconds to build, or to warm up."""


@pytest.fixture(scope="module", params=[pytest.param(each, marks=[] if each == BY_DEFAULT else [pytest.mark.slow]) for each in EXAMPLES])
def command(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The command that runs an example, built anew."""
    example = EXAMPLES[request.param]
    missing = [each for each in example.needs if not shutil.which(each) and not list(Path(each).parent.glob(f"{Path(each).name}*"))]
    if missing:
        pytest.skip(f"{', '.join(missing)} not found")
    folder = tmp_path_factory.mktemp(request.param) / "src"
    shutil.copytree(SOURCES / request.param, folder, ignore=shutil.ignore_patterns("target", "classes", "acceptor-step"))
    subprocess.run(shlex.split(example.builds), cwd=folder, check=True, capture_output=True)
    yield example.runs.format(folder)
    shutil.rmtree(folder)


def counted(*arguments: str) -> dict[str, object]:
    found = explore(*arguments)
    return {key: found[key] for key in ("verdict", "distinct_states", "generated_states", "depth", "reductions", "claims")}


def test_the_default_configuration_has_the_result_of_the_stock_acceptor(command: str) -> None:
    assert counted("--protocol", f"exec:{command}") == counted(*options(reduce=",".join(REDUCTIONS)))


@pytest.mark.parametrize("name", [pytest.param("restarts"), pytest.param("walks", marks=pytest.mark.slow)])
def test_other_ways_to_search_too(command: str, name: str) -> None:
    ways = {
        "restarts": ("--acceptors", "1", "--slots", "1", "--commands", "1", "--crashes", "1", "--restarts", "1", "--faulty", "acceptor"),
        "walks": ("--strategy", "random", "--max-states", "5000"),
    }
    assert counted(*ways[name], "--protocol", f"exec:{command}") == counted(*ways[name])


def test_the_seeded_bug_is_found_with_its_shortest_run(command: str) -> None:
    found = explore("--acceptors", "1", "--slots", "1", "--commands", "2", "--protocol", f"exec:{command} --forget")
    assert (found["verdict"], found["violation"]["property"], len(found["violation"]["steps"])) == ("violated", "A3", 7)


def test_each_example_is_short() -> None:
    for name in ("rust/src/main.rs", "go/acceptor.go", "java/AcceptorStep.java", "cpp/acceptor.cpp"):
        assert 60 <= len((SOURCES / name).read_text().splitlines()) <= 100
