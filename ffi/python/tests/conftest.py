"""The package is tested as it is installed: from the wheel, in an environment of its own."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import helpers
import moorline

SOURCE = Path(__file__).resolve().parent.parent


def pytest_configure(config):
    where = Path(moorline.__file__).resolve()
    if SOURCE in where.parents:
        raise pytest.UsageError(
            f"these tests are for the installed wheel, and {where} is the source: build the wheel, install it, and run `pytest` "
            "(not `python -m pytest`, which puts this folder first)"
        )
    for name, what in helpers.NEEDED.items():
        if not os.path.exists(os.environ.get(name, "")):
            raise pytest.UsageError(f"set {name} to {what}: nothing is skipped for want of it")
    # Keys and caches of the programs and nodes of this run.
    os.environ["MOORLINE_HOME"] = tempfile.mkdtemp(prefix="moorline-pytest-")


@pytest.fixture(scope="session")
def server():
    """The URL of a room server."""
    with helpers.room_server() as url:
        yield url


@pytest.fixture
def room_name(request):
    """A room for each test."""
    return request.node.name[:60]


@pytest.fixture
def folder(tmp_path):
    """A folder with a few files, one of them large."""
    made = tmp_path / "photos"
    (made / "deep" / "er").mkdir(parents=True)
    (made / "large.bin").write_bytes(os.urandom(5 << 20))
    (made / "deep" / "small.txt").write_text("small", encoding="utf-8")
    (made / "deep" / "er" / "unicode-\u00e4\u4e2d.txt").write_text("\u00e4", encoding="utf-8")
    return made


@pytest.fixture
def script(tmp_path):
    """Runs Python in a process of its own: `script(code)` answers with what it printed, and fails if that fails."""

    def run(code, *args, flags=(), hooks=False, status=0, seconds=60, env=None):
        path = tmp_path / "script.py"
        path.write_text(helpers.PRELUDE + code, encoding="utf-8")
        environment = {**os.environ, "RUST_BACKTRACE": "0", "PYTHONPATH": str(Path(__file__).parent), **(env or {})}
        if hooks:
            environment["MOORLINE_LIBRARY"] = os.environ["MOORLINE_TEST_LIBRARY"]
        done = subprocess.run(
            [sys.executable, "-X", "dev", "-W", "error", *flags, str(path), *map(str, args)],
            capture_output=True, text=True, timeout=seconds, env=environment, cwd=tmp_path,
        )
        told = f"{done.stdout}\n{done.stderr}"
        if done.returncode != status:
            pytest.fail(f"ended with {done.returncode}:\n{told}")
        if "Exception ignored" in done.stderr or "Traceback" in done.stderr:
            pytest.fail(f"complained:\n{told}")
        return done.stdout

    return run
