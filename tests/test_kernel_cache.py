"""Compiled kernels are kept where only this user can write, and never inside an installed package."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from helpers import ROOT, command, environment, options

from pmmc_check.checker import kernel_cache

TINY = options(acceptors=1, leaders=1, replicas=1, slots=1)
NOBODY = 65534
COMPILING = "compiling the search kernels"
as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can act for other users")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary directory as /tmp is: everybody can write, nobody can rename what is another's. There is no home."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    folder.chmod(0o1777)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    (tmp_path / "file").write_text("no folder can be made below a file")
    return folder


def chosen() -> Path | None:
    """What a new process would choose."""
    return kernel_cache.cache_folder.__wrapped__()


def _usual(temporary: Path) -> Path:
    return temporary / f"pmmc-check-{os.geteuid()}"


def test_the_folder_that_the_user_names_is_taken(temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "mine"))
    assert chosen() is not None
    assert tmp_path / "mine" in chosen().parents  # type: ignore[union-attr]


def test_the_user_cache_comes_next_and_the_home_after_it(temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert tmp_path / "home" / ".cache" / "pmmc-check" in chosen().parents  # type: ignore[union-attr]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert tmp_path / "cache" / "pmmc-check" in chosen().parents  # type: ignore[union-attr]
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/folders/are/to/be/ignored")
    assert tmp_path / "home" / ".cache" / "pmmc-check" in chosen().parents  # type: ignore[union-attr]


def test_without_a_home_there_is_a_private_folder_in_the_temporary_directory_and_the_next_run_finds_it(temporary: Path) -> None:
    first = chosen()
    assert first is not None
    assert first.parent == _usual(temporary)
    assert first.parent.stat().st_mode & 0o777 == 0o700
    assert chosen() == first


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o1777], ids=oct)
def test_a_folder_to_which_others_can_write_is_refused_and_another_is_made_and_found_again(temporary: Path, mode: int) -> None:
    _usual(temporary).mkdir()
    _usual(temporary).chmod(mode)
    first = chosen()
    assert first is not None
    assert first.parent not in (_usual(temporary), temporary)
    assert first.parent.stat().st_mode & 0o777 == 0o700
    assert chosen() == first
    assert list(_usual(temporary).iterdir()) == []


def test_a_link_is_refused_wherever_it_leads(temporary: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    _usual(temporary).symlink_to(tmp_path / "elsewhere")
    assert chosen() is not None
    assert chosen().parent.parent == temporary  # type: ignore[union-attr]
    assert list((tmp_path / "elsewhere").iterdir()) == []


@as_root
def test_a_folder_of_another_user_is_refused(temporary: Path) -> None:
    _usual(temporary).mkdir(mode=0o700)
    os.chown(_usual(temporary), NOBODY, NOBODY)
    first = chosen()
    assert first is not None
    assert first.parent.lstat().st_uid == 0
    assert list(_usual(temporary).iterdir()) == []


@as_root
def test_a_home_of_another_user_is_left_alone(temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = tmp_path / "home" / ".cache" / "pmmc-check"
    foreign.mkdir(parents=True)
    os.chown(foreign, NOBODY, NOBODY)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert chosen().parent == _usual(temporary)  # type: ignore[union-attr]


def test_a_temporary_directory_in_which_others_can_rename_is_not_used(temporary: Path) -> None:
    temporary.chmod(0o777)
    assert chosen() is None
    assert list(temporary.iterdir()) == []


def test_a_folder_inside_the_user_cache_that_others_can_write_is_not_used(
    temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    inner = chosen()
    assert inner is not None
    inner.chmod(0o777)
    assert chosen() != inner


def test_without_any_folder_every_run_compiles_and_works(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    nowhere = str(tmp_path / "file" / "below")
    program = (
        f"import tempfile; tempfile.tempdir = {nowhere!r}\n"
        f"import sys; from pmmc_check.cli.main import main; sys.exit(main(['explore', *{TINY!r}]))"
    )
    env = environment({"HOME": nowhere, "XDG_CACHE_HOME": nowhere, "NUMBA_CACHE_DIR": None})
    done = subprocess.run([sys.executable, "-c", program], env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[0][:5]) == (0, "HOLDS"), done.stderr
    assert COMPILING in done.stderr


def test_a_second_run_does_not_compile(tmp_path: Path) -> None:
    env = {"NUMBA_CACHE_DIR": str(tmp_path)}
    assert COMPILING in command("explore", *TINY, env=env).stderr
    assert COMPILING not in command("explore", *TINY, env=env).stderr


@pytest.mark.slow  # all kernels are compiled twice
def test_damaged_files_are_compiled_anew(tmp_path: Path) -> None:
    env = {"NUMBA_CACHE_DIR": str(tmp_path)}
    assert command("explore", *TINY, env=env).returncode == 0
    files = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert {each.suffix for each in files} == {".nbi", ".nbc"}
    for each in files:
        each.write_bytes(each.read_bytes()[:7])
    damaged = command("explore", *TINY, env=env)
    assert (damaged.returncode, COMPILING in damaged.stderr) == (0, True), damaged.stderr
    assert COMPILING not in command("explore", *TINY, env=env).stderr


@pytest.mark.one_in(3)
@pytest.mark.parametrize("module", ["checker.walk_kernel", "checker.endless", "checker.compiled", "checker.matrix"])
@pytest.mark.parametrize("first", ["", "import numba; "])
def test_whatever_is_imported_first_kernels_are_kept_in_that_folder(tmp_path: Path, first: str, module: str) -> None:
    program = (
        f"{first}import pmmc_check.{module}\n"
        "from pmmc_check.checker.kernel import expand\nfrom pmmc_check.checker.walk_kernel import walk_on\n"
        "print(expand._cache.cache_path); print(walk_on._cache.cache_path)"
    )
    env = environment({"XDG_CACHE_HOME": str(tmp_path), "NUMBA_CACHE_DIR": None, "PYTHONPATH": str(ROOT)})
    done = subprocess.run([sys.executable, "-c", program], env=env, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert {Path(line).parent for line in done.stdout.splitlines()} == {tmp_path / "pmmc-check"}


def test_only_one_module_knows_numba() -> None:
    knows = [each for each in (ROOT / "pmmc_check").rglob("*.py") if "numba" in each.read_text(encoding="utf-8").replace("# numba", "")]
    importing = {
        each.name
        for each in knows
        if any(line.lstrip().startswith(("import numba", "from numba")) for line in each.read_text(encoding="utf-8").splitlines())
    }
    assert importing == {"compilation.py"}


def test_what_is_kept_goes_by_the_sources_of_all_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = [each for each in (ROOT / "pmmc_check").rglob("*.py") if "\n@kernel\n" in each.read_text(encoding="utf-8")]
    assert len(sources) >= 3
    sources.append(ROOT / "pmmc_check" / "checker" / "symbolic" / "layout.py")  # its numbers are compiled into them
    read, before = Path.read_bytes, kernel_cache.source_stamp.__wrapped__()
    for source in sources:
        monkeypatch.setattr(Path, "read_bytes", lambda path, source=source: read(path) + b"#" * path.samefile(source))
        assert kernel_cache.source_stamp.__wrapped__() != before, source


def test_compiled_kernels_are_switched_off_by_the_environment_in_one_clear_line() -> None:
    done = command("explore", *TINY, env={"NUMBA_DISABLE_JIT": "1"})
    assert (done.returncode, done.stdout) == (2, "")
    assert "NUMBA_DISABLE_JIT is set" in done.stderr
    assert command("explore", *TINY, "--engine", "reference", env={"NUMBA_DISABLE_JIT": "1"}).returncode == 0
