"""Write the tables of the bundled detector's card into README.md.

    python tools/readme_card.py [--check]

A table stands between ``<!-- card: TITLE -->`` and ``<!-- end of card -->``, where TITLE is that of
a table of the card. With ``--check`` nothing is written, and the exit status says whether the file
is as the card is.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from convtrace.detection import bundled_path, read_card

README = Path(__file__).resolve().parents[1] / "README.md"
_PLACE = re.compile(r"(<!-- card: (.+?) -->\n).*?(<!-- end of card -->)", re.DOTALL)


def filled(text: str) -> str:
    """Return a text with the tables that it names.

    Raises
    ------
    SystemExit
        Where the card has no such table.
    """
    tables = {table.title: table for table in read_card(bundled_path()).results}

    def table(match: re.Match[str]) -> str:
        if match[2] not in tables:
            raise SystemExit(f"the card has no table {match[2]!r}")
        lines = tables[match[2]].to_markdown().splitlines()
        rows = "\n".join(line for line in lines if line.startswith("|"))
        return f"{match[1]}{rows}\n{match[3]}"

    return _PLACE.sub(table, text)


def main() -> int:
    """Write or check. Return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--check", action="store_true", help="only say whether it is current")
    options = parser.parse_args()
    text = README.read_text(encoding="utf-8")
    wanted = filled(text)
    if options.check:
        if text != wanted:
            print("README.md is not as the card is; run python tools/readme_card.py")
        return int(text != wanted)
    temporary = README.with_name(README.name + ".tmp")
    temporary.write_text(wanted, encoding="utf-8")
    temporary.replace(README)
    return 0


if __name__ == "__main__":
    sys.exit(main())
