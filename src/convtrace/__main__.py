"""``python -m convtrace`` is the command ``convtrace``."""

from convtrace.cli import main

main()
