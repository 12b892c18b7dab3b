"""Errors are classes by who can do something about them."""

import pickle

import pytest

import moorline
from helpers import live
from moorline import _abi, _library

EXPECTED = {
    moorline.MisuseError: range(1, 100),
    moorline.StateError: range(100, 200),
    moorline.LimitError: range(200, 300),
    moorline.PeerError: range(300, 400),
    moorline.RoomError: range(400, 500),
    moorline.MachineError: range(500, 600),
    moorline.DefectError: range(900, 1000),
}


@pytest.mark.parametrize("status, name", [(status, name) for status, name in _abi.STATUS_NAMES.items() if status])
def test_every_status_is_an_error_of_its_category(status, name):
    error = moorline.errors.failure(status, "what was wrong")
    (category,) = [cls for cls, numbers in EXPECTED.items() if status in numbers]
    assert isinstance(error, category) and isinstance(error, moorline.Error)
    assert (error.status, error.name, str(error)) == (status, name, f"what was wrong ({name})")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.status, str(again)) == (type(error), status, str(error))


def test_what_programs_ask_for_most_has_a_class_of_its_own():
    expected = {"forked": moorline.ForkedError, "cancelled": moorline.CancelledError, "timeout": moorline.TimeoutError,
                "ready_timeout": moorline.TimeoutError, "closed": moorline.ClosedError, "disposed": moorline.ClosedError}
    for status, name in _abi.STATUS_NAMES.items():
        if name in expected:
            assert type(moorline.errors.failure(status)) is expected[name]
    assert issubclass(moorline.TimeoutError, TimeoutError)


def test_a_status_of_a_newer_library_is_an_error_without_a_name():
    for status in (-1, 700, 999_999):
        assert moorline.errors.failure(status).name == "unknown"


@live
async def test_the_message_is_that_of_the_library():
    with pytest.raises(moorline.MisuseError) as error:
        await moorline.Client(threads=1000).open()
    assert (error.value.name, "1000" in error.value.message) == ("invalid_argument", True)
    async with moorline.Client() as client:
        with pytest.raises(moorline.MisuseError) as error:
            await client.node(listen="nowhere").start()
        assert "nowhere" in error.value.message or "listen" in error.value.message
        with pytest.raises(moorline.MisuseError) as error:
            await client.room("http://127.0.0.1", "r").join()
        assert error.value.status == _abi.E_INVALID_ARGUMENT


@live
async def test_what_is_used_in_the_wrong_order_is_misuse():
    client = moorline.Client()
    with pytest.raises(moorline.MisuseError):
        await client.node().start()
    async with client:
        with pytest.raises(moorline.MisuseError):
            await client.open()
        with pytest.raises(moorline.MisuseError):
            client.node().info()
        with pytest.raises(moorline.MisuseError):
            await client.room("ws://127.0.0.1:9", "r").send(b"")
    for wrong in (dict(queue=0), dict(log_level="loud")):
        with pytest.raises(moorline.MisuseError):
            moorline.Client(**wrong)


def test_a_library_that_is_not_there_or_is_none_is_told_with_advice(tmp_path, monkeypatch):
    monkeypatch.setattr(_library, "_loaded", None)
    monkeypatch.setenv("MOORLINE_LIBRARY", str(tmp_path / "none.so"))
    with pytest.raises(moorline.LibraryError, match="MOORLINE_LIBRARY"):
        _library.library()
    (tmp_path / "none.so").write_bytes(b"not a library")
    with pytest.raises(moorline.LibraryError, match="cannot be used"):
        _library.library()


def test_a_library_of_another_version_is_refused(monkeypatch):
    monkeypatch.setattr(_library, "_loaded", None)
    for version in (_abi.ABI_VERSION + 0x10000, _abi.ABI_VERSION + 1):
        monkeypatch.setattr(_abi, "ABI_VERSION", version)
        with pytest.raises(moorline.LibraryError, match="version"):
            _library.library()
