"""`python -m moorline doctor`."""

import os
import resource
import subprocess
import sys


def doctor(limit=None, **env):
    def lower():
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "moorline", "doctor"], capture_output=True, text=True, timeout=60,
        env={**os.environ, **env}, preexec_fn=lower if limit else None,
    )


def test_all_is_well():
    done = doctor()
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["ok"] * 6 + ["all"]
    for what in ("libmoorline.so", "interface 1.0", "opened in", "127.0.0.1:", "in use", "forked child is told so"):
        assert what in done.stdout


def test_a_library_that_is_missing_is_told_with_advice(tmp_path):
    done = doctor(MOORLINE_LIBRARY=str(tmp_path / "nothing.so"))
    assert done.returncode == 1 and "BAD  library" in done.stdout and "set MOORLINE_LIBRARY" in done.stdout
    assert "ok " not in done.stdout


def test_a_library_that_is_none_is_told_with_advice(tmp_path):
    (tmp_path / "lib.so").write_bytes(b"something else")
    done = doctor(MOORLINE_LIBRARY=str(tmp_path / "lib.so"))
    assert done.returncode == 1 and "cannot be used" in done.stdout


def test_few_descriptors_are_told_with_advice():
    done = doctor(limit=100)
    assert done.returncode == 1 and "BAD  descriptors" in done.stdout and "ulimit -n" in done.stdout


def test_it_is_the_only_verb():
    done = subprocess.run([sys.executable, "-m", "moorline"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "doctor" in done.stderr
