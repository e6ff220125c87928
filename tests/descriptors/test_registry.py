"""The registry: names, aliases, guesses and entry points."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from convtrace import descriptors
from convtrace.descriptors import registry
from convtrace.descriptors.registry import Registry, UnknownNameError
from convtrace.errors import ConvtraceError


def test_names_and_aliases_find_the_same_thing() -> None:
    things: Registry[int] = Registry("thing")
    things.add("Two words", 2, aliases=("double",))
    assert things.names() == ["two-words"]
    assert things.get("two_words") == things.get("DOUBLE") == 2
    assert "double" in things
    assert "triple" not in things


def test_a_name_cannot_be_taken_twice() -> None:
    things: Registry[int] = Registry("thing")
    things.add("one", 1, aliases=("single",))
    with pytest.raises(ConvtraceError, match="'single' is taken already"):
        things.add("two", 2, aliases=("single",))
    assert things.names() == ["one"]


def test_removing_takes_the_aliases_along() -> None:
    things: Registry[int] = Registry("thing")
    things.add("one", 1, aliases=("single",))
    things.remove("single")
    assert "one" not in things
    assert "single" not in things


def test_an_unknown_name_gets_the_nearest_one() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'convolutional-traces'") as caught:
        descriptors.create("convolutional-tracks")
    assert "\n" not in str(caught.value)


def test_an_unknown_option_names_the_descriptor() -> None:
    with pytest.raises(ConvtraceError, match=r"descriptor 'ct': .*kernal_size"):
        descriptors.create("ct", kernal_size=3)


def test_entry_points_are_listed_and_loaded_when_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    points = [
        EntryPoint("outside", "builtins:dict", "some.group"),
        EntryPoint("broken", "no_such_module:thing", "some.group"),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda **_: points)
    things: Registry[type] = Registry("thing", "some.group")
    things.add("inside", int)
    assert things.names() == ["broken", "inside", "outside"]
    assert things.get("outside") is dict
    with pytest.raises(ModuleNotFoundError):
        things.get("broken")


def test_register_decorates() -> None:
    @descriptors.register("only-for-this-test", aliases=("oftt",))
    def factory(*, size: int = 1) -> tuple[str, int]:
        return ("made", size)

    try:
        assert descriptors.create("oftt", size=3) == ("made", 3)
        assert "only-for-this-test" in descriptors.names()
    finally:
        registry.DESCRIPTORS.remove("only-for-this-test")
