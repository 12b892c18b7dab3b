"""`python -m moorline doctor`."""

from __future__ import annotations

import argparse
import sys

from . import _doctor


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m moorline", description="Looks after the package moorline.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("doctor", help="check that the library is found and works here, and say what to do if not")
    parser.parse_args()
    return _doctor.run()


if __name__ == "__main__":
    sys.exit(main())
