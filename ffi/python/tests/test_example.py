"""The example: two processes share, fetch, meet in a room, talk and end."""

import subprocess
import sys
from pathlib import Path

from helpers import digest

PEER = Path(__file__).resolve().parents[2] / "examples" / "python" / "peer.py"


def start(*args):
    command = [sys.executable, "-W", "error", str(PEER), *map(str, args)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_two_of_them_do_the_full_round(server, folder, tmp_path):
    (tmp_path / "b" / "notes").mkdir(parents=True)
    (tmp_path / "b" / "notes" / "n.txt").write_text("n", encoding="utf-8")
    ada = start("ada", folder, "-", "-", tmp_path, server, "example")
    word, address = ada.stdout.readline().split()
    assert word == "listening"
    bob = start("bob", tmp_path / "b" / "notes", address, "photos", tmp_path / "in", server, "example")
    told = [one.communicate(timeout=60)[0].splitlines() for one in (ada, bob)]
    assert [ada.returncode, bob.returncode] == [0, 0], told
    assert told[0][-1] == told[1][-1] == "done"
    assert "answer bob greets ada" in told[0] and any(line.endswith(" says hello from bob") for line in told[0])
    assert "answer ada greets bob" in told[1] and f"fetched {tmp_path / 'in' / 'photos'}" in told[1]
    assert digest(tmp_path / "in" / "photos") == digest(folder)


def test_a_failure_is_told(folder, tmp_path):
    peer = start("ada", tmp_path / "nothing here", "-", "-", tmp_path, "http://wrong", "example")
    last = peer.communicate(timeout=60)[0].splitlines()[-1]
    assert last.startswith("failed: ") and peer.returncode == 1


def test_it_stays_short():
    assert len(PEER.read_text("utf-8").splitlines()) < 60
