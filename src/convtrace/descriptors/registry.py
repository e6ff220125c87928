"""Names to things: the registry that descriptors, classifiers and recipes share.

A registry holds factories under a canonical name and any number of aliases. An outside
package adds its own by an entry point, which is imported only when its name is asked for,
so that a broken plug-in cannot break the names beside it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from convtrace.errors import ConvtraceError

__all__ = ["DESCRIPTORS", "Registry", "UnknownNameError", "create", "names", "register"]

T = TypeVar("T")


class UnknownNameError(ConvtraceError, LookupError):
    """A name that no registry entry has."""


def _canonical(name: str) -> str:
    return name.strip().lower().replace("_", "-").replace(" ", "-")


class Registry(Generic[T]):
    """A table of named things with aliases, entry points and helpful errors.

    Parameters
    ----------
    kind : str
        What the things are, for messages: "descriptor", "classifier", "recipe".
    group : str or None
        The entry point group in which outside packages add theirs.

    Examples
    --------
    >>> colours = Registry[int]("colour")
    >>> colours.add("dark-red", 1, aliases=("maroon",))
    >>> colours.get("Maroon"), colours.names()
    (1, ['dark-red'])
    >>> colours.get("dark-rad")
    Traceback (most recent call last):
    ...
    convtrace.descriptors.registry.UnknownNameError: no colour is called 'dark-rad'; did you mean \
'dark-red'? Known: dark-red
    """

    def __init__(self, kind: str, group: str | None = None) -> None:
        self.kind = kind
        self.group = group
        self._things: dict[str, T] = {}
        self._aliases: dict[str, str] = {}

    def add(self, name: str, thing: T, *, aliases: Iterable[str] = ()) -> None:
        """Add one thing.

        Parameters
        ----------
        name : str
            The canonical name; case, spaces and underscores do not matter.
        thing : object
            What ``get`` returns.
        aliases : iterable of str
            Other names for it.

        Raises
        ------
        ConvtraceError
            Where the name or an alias is taken already.
        """
        canonical = _canonical(name)
        wanted = [canonical, *(_canonical(alias) for alias in aliases)]
        for each in wanted:
            if each in self._things or each in self._aliases:
                raise ConvtraceError(
                    f"the {self.kind} name {each!r} is taken already; choose another"
                )
        self._things[canonical] = thing
        self._aliases.update(dict.fromkeys(wanted[1:], canonical))

    def remove(self, name: str) -> None:
        """Take a thing and its aliases out again.

        Parameters
        ----------
        name : str
            Its name or one of its aliases.
        """
        canonical = self.resolve(name)
        self._things.pop(canonical, None)
        self._aliases = {k: v for k, v in self._aliases.items() if v != canonical}

    def names(self) -> list[str]:
        """Return the canonical names, sorted, entry points included.

        Returns
        -------
        list of str
        """
        return sorted({*self._things, *self._entry_points()})

    def __contains__(self, name: str) -> bool:
        canonical = _canonical(name)
        return (
            canonical in self._things
            or canonical in self._aliases
            or canonical in self._entry_points()
        )

    def resolve(self, name: str) -> str:
        """Turn a name or alias into the canonical name.

        Parameters
        ----------
        name : str
            Any spelling of it.

        Returns
        -------
        str

        Raises
        ------
        UnknownNameError
            Where there is none, with the nearest known name.
        """
        canonical = _canonical(name)
        canonical = self._aliases.get(canonical, canonical)
        if canonical in self._things or canonical in self._entry_points():
            return canonical
        known = self.names()
        near = difflib.get_close_matches(canonical, [*known, *self._aliases], n=1, cutoff=0.5)
        guess = f" did you mean {near[0]!r}?" if near else ""
        raise UnknownNameError(
            f"no {self.kind} is called {name!r};{guess} Known: {', '.join(known)}"
        )

    def get(self, name: str) -> T:
        """Return the thing of that name.

        Parameters
        ----------
        name : str
            Its name or one of its aliases.

        Returns
        -------
        object

        Raises
        ------
        UnknownNameError
            Where there is none.
        """
        canonical = self.resolve(name)
        if canonical not in self._things:
            loaded: T = self._entry_points()[canonical].load()
            self._things[canonical] = loaded
        return self._things[canonical]

    def _entry_points(self) -> dict[str, EntryPoint]:
        if self.group is None:
            return {}
        return {_canonical(point.name): point for point in entry_points(group=self.group)}


DESCRIPTORS: Registry[Callable[..., Any]] = Registry("descriptor", "convtrace.descriptors")


def register(
    name: str, *, aliases: Iterable[str] = ()
) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Register the decorated class or factory as a descriptor.

    Parameters
    ----------
    name : str
        The name by which ``create`` finds it.
    aliases : iterable of str
        Other names for it.

    Returns
    -------
    callable
        The decorator; it returns what it was given.
    """

    def decorate(factory: Callable[..., T]) -> Callable[..., T]:
        DESCRIPTORS.add(name, factory, aliases=aliases)
        return factory

    return decorate


def names() -> list[str]:
    """Return the names of all descriptors.

    Returns
    -------
    list of str

    Examples
    --------
    >>> "convolutional-traces" in names()
    True
    """
    return DESCRIPTORS.names()


def create(name: str, **params: Any) -> Any:
    """Make a descriptor by name.

    Parameters
    ----------
    name : str
        One of `names`, or an alias.
    **params
        Its options.

    Returns
    -------
    Descriptor

    Raises
    ------
    UnknownNameError
        Where no descriptor has the name.
    ConvtraceError
        Where it has no such option.

    Examples
    --------
    >>> create("ct", kernel_size=5).kernel_size
    5
    """
    factory = DESCRIPTORS.get(name)
    try:
        return factory(**params)
    except TypeError as error:
        raise ConvtraceError(f"descriptor {name!r}: {error}; see its documentation") from error
