"""Data flows down the rooms: no module imports from a room above its own."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import convtrace

ROOT = Path(convtrace.__file__).parent
BELOW = {
    "errors": set(),
    "_version": set(),
    "image": {"errors"},
    "traces": {"errors", "image"},
    "datasets": {"errors", "image"},
    "descriptors": {"errors", "image", "traces", "datasets"},
    "detection": {"errors", "image", "traces", "datasets", "descriptors", "_version"},
}
BELOW["batch"] = BELOW["detection"] | {"detection"}
BELOW["evaluation"] = BELOW["batch"] | {"batch"}
BELOW["report"] = BELOW["evaluation"] | {"evaluation"}
BELOW["service"] = BELOW["report"] | {"report"}
BELOW["cli"] = BELOW["service"] | {"service"}
MODULES = sorted(p for p in ROOT.rglob("*.py") if p.parent != ROOT or p.stem in BELOW)


def _room(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def _imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            module = node.module or ""
            if module == "convtrace":
                names |= {f"convtrace.{alias.name}" for alias in node.names}
            names.add(module)
    return {name.split(".")[1] for name in names if name.startswith("convtrace.")}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_down(path):
    room = _room(path)
    assert _imported(path) - {room, "__version__"} <= BELOW[room]


def test_every_room_is_judged():
    rooms = {p.name for p in ROOT.iterdir() if (p / "__init__.py").is_file()}
    assert rooms <= set(BELOW)
