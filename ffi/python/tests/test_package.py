"""The package as it is installed, and what it promises without being run."""

import ast
import ctypes
import importlib.metadata
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import moorline
from moorline import _abi, _library

SOURCE = Path(__file__).resolve().parent.parent
INSTALLED = Path(moorline.__file__).parent


def test_it_is_the_wheel_with_its_library_and_types():
    assert SOURCE not in INSTALLED.parents
    assert (INSTALLED / "py.typed").exists()
    assert Path(_library.path()) == INSTALLED / "_native" / "libmoorline.so"
    wheel = importlib.metadata.distribution("moorline").read_text("WHEEL")
    assert "Tag: py3-none-linux_x86_64" in wheel and "Root-Is-Purelib: false" in wheel


def test_the_installed_files_are_those_of_the_source():
    for path in SOURCE.glob("moorline/*.py"):
        assert (INSTALLED / path.name).read_bytes() == path.read_bytes(), f"install the wheel again: {path.name} is another"


def test_versions_agree():
    span = _abi.Span()
    _library.call("moorline_version", ctypes.byref(span))
    assert ctypes.string_at(span.data, span.length).decode() == importlib.metadata.version("moorline")


def test_no_check_is_an_assert():
    for path in INSTALLED.glob("*.py"):
        found = [node.lineno for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Assert)]
        assert not found, f"{path.name}: gone with -O: lines {found}"


def test_the_table_of_functions_is_complete_and_the_structs_have_their_sizes():
    library = _library.library()
    assert all(getattr(library, name).argtypes == types for name, types in _abi.FUNCTIONS.items())
    assert ctypes.sizeof(_abi.Event) == 160 == _library._EVENT.size
    assert ctypes.sizeof(_abi.Error) == 512


def test_all_names_exist_and_are_documented():
    for name in moorline.__all__:
        assert getattr(moorline, name).__doc__, name
    for module in (moorline.errors, moorline.events, moorline.sync):
        assert all(hasattr(module, name) for name in module.__all__)


def test_importing_it_loads_no_library_and_starts_nothing():
    code = "import moorline, moorline.sync, threading; from moorline import _library; print(_library._loaded, threading.active_count())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["None", "1"]


def listing():
    return sorted(path for path in SOURCE.rglob("*") if path.suffix != ".pyc" and path.name != "__pycache__")


def test_the_same_files_give_the_same_wheel(tmp_path):
    (tmp_path / "lib.so").write_bytes(b"\x7fELF\x02\x01" + b"\0" * 12 + b"\x3e\0" + b"\0" * 64)
    build = [sys.executable, str(SOURCE / "build_backend.py"), "--library", str(tmp_path / "lib.so"), "--out"]
    before = listing()
    wheels = []
    for out in ("a", "b"):
        done = subprocess.run([*build, str(tmp_path / out)], capture_output=True, text=True, check=True)
        wheels.append(Path(done.stdout.strip()))
    assert wheels[0].name == "moorline-0.1.0-py3-none-linux_x86_64.whl"
    assert wheels[0].read_bytes() == wheels[1].read_bytes()
    assert listing() == before, "the build left something behind"
    names = zipfile.ZipFile(wheels[0]).namelist()
    assert "moorline/_native/libmoorline.so" in names and "moorline/py.typed" in names


def test_a_library_for_another_platform_is_not_packed(tmp_path):
    (tmp_path / "lib.so").write_bytes(b"MZ" + b"\0" * 100)
    build = [sys.executable, str(SOURCE / "build_backend.py"), "--out", str(tmp_path)]
    for arguments in ([], ["--library", str(tmp_path / "lib.so")]):
        environment = {key: value for key, value in os.environ.items() if key != "MOORLINE_LIBRARY"}
        done = subprocess.run(build + arguments, capture_output=True, text=True, env=environment)
        assert done.returncode != 0 and "library" in done.stderr


def test_these_tests_refuse_to_run_against_the_source():
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests/test_errors.py"], cwd=SOURCE, capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 4 and "is the source" in done.stderr
