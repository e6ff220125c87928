"""``python -m convtrace``: the command line."""

from __future__ import annotations

from convtrace.cli import main

main()
