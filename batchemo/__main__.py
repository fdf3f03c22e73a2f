"""`python -m batchemo` is the command `batchemo`."""

from __future__ import annotations

from batchemo.cli import main

if __name__ == "__main__":
    main()
