"""The command line: one module a command, each a thin layer over a public function.

Nothing here imports NumPy, Numba or scikit-learn before a command needs it, so that
``--help`` and shell completion answer at once.
"""

from __future__ import annotations

from convtrace.cli.app import app, main

__all__ = ["app", "main"]
