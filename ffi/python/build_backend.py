"""Builds the wheel: the package, the native library of this platform, and nothing from the network.

As a program: `python build_backend.py --library PATH --out FOLDER`. As a backend of pip: `MOORLINE_LIBRARY=PATH pip wheel .`
The same files give the same wheel, byte for byte.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import os
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any, Dict, List, Optional

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).resolve().parent
PROJECT = tomllib.loads((HERE / "pyproject.toml").read_text("utf-8"))["project"]
NAME = f"{PROJECT['name']}-{PROJECT['version']}"
TAG = "py3-none-linux_x86_64"
LIBRARY = "moorline/_native/libmoorline.so"
ELF_X86_64 = (b"\x7fELF\x02\x01", b"\x3e\x00")


def sources() -> Dict[str, bytes]:
    """The files of the package."""
    found = sorted([*HERE.glob("moorline/**/*.py"), HERE / "moorline" / "py.typed"])
    return {path.relative_to(HERE).as_posix(): path.read_bytes() for path in found}


def library(path: Optional[str]) -> bytes:
    """The native library, which has to be one for the platform that the wheel is for."""
    if not path:
        sys.exit("the wheel carries the native library: say where it is, with --library or MOORLINE_LIBRARY")
    data = Path(path).read_bytes()
    if (data[:6], data[18:20]) != ELF_X86_64:
        sys.exit(f"{path} is no shared library for Linux on x86-64, and the wheel is for {TAG}")
    return data


def metadata() -> bytes:
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {PROJECT['name']}",
        f"Version: {PROJECT['version']}",
        f"Summary: {PROJECT['description']}",
        f"Requires-Python: {PROJECT['requires-python']}",
        f"License: {PROJECT['license']}",
        *[f"Classifier: {one}" for one in PROJECT["classifiers"]],
        *[f"Project-URL: {name}, {url}" for name, url in PROJECT["urls"].items()],
        "Description-Content-Type: text/markdown",
    ]
    return ("\n".join(lines) + "\n\n").encode() + (HERE / PROJECT["readme"]).read_bytes()


def record(files: Dict[str, bytes], name: str) -> bytes:
    def line(path: str, data: bytes) -> str:
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        return f"{path},sha256={digest},{len(data)}\n"

    return "".join([line(path, data) for path, data in files.items()] + [f"{name},,\n"]).encode()


def wheel(out: str, library_path: Optional[str]) -> str:
    """Writes the wheel and answers with its name."""
    info = f"{NAME}.dist-info"
    files = sources()
    files[LIBRARY] = library(library_path)
    files[f"{info}/METADATA"] = metadata()
    files[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: moorline\nRoot-Is-Purelib: false\nTag: {TAG}\n".encode()
    files[f"{info}/RECORD"] = record(files, f"{info}/RECORD")
    name = f"{NAME}-{TAG}.whl"
    Path(out).mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(Path(out) / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            entry = zipfile.ZipInfo(path)  # Of 1980, so that it is the same whenever it is built.
            entry.external_attr = (0o755 if path == LIBRARY else 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return name


# What pip calls (PEP 517).


def build_wheel(wheel_directory: str, config_settings: Any = None, metadata_directory: Optional[str] = None) -> str:
    return wheel(wheel_directory, os.environ.get("MOORLINE_LIBRARY"))


def build_sdist(sdist_directory: str, config_settings: Any = None) -> str:
    name = f"{NAME}.tar.gz"
    own = {path: (HERE / path).read_bytes() for path in ("pyproject.toml", "build_backend.py", PROJECT["readme"])}
    with tarfile.open(Path(sdist_directory) / name, "w:gz") as archive:
        for path, data in {**own, **sources(), "PKG-INFO": metadata()}.items():
            entry = tarfile.TarInfo(f"{NAME}/{path}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return name


def get_requires_for_build_wheel(config_settings: Any = None) -> List[str]:
    return []


def main() -> None:
    arguments = argparse.ArgumentParser(description="Builds the wheel of moorline.")
    arguments.add_argument("--library", default=os.environ.get("MOORLINE_LIBRARY"), help="the native library")
    arguments.add_argument("--out", default=".", help="the folder that receives the wheel")
    given = arguments.parse_args()
    print(Path(given.out) / wheel(given.out, given.library))


if __name__ == "__main__":
    main()
