"""``convtrace serve``: the web page and the REST service."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from convtrace.cli.arguments import Workers, load_detector
from convtrace.cli.codes import FAILED
from convtrace.cli.console import complain, say
from convtrace.cli.scan import Model

__all__ = ["TOKEN_VARIABLE", "serve"]

TOKEN_VARIABLE = "CONVTRACE_TOKEN"  # noqa: S105  # its name, not its value


def serve(
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="Where to listen; 0.0.0.0 lets other machines in, with no encryption.",
        ),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one.")] = 8000,
    workers: Workers = None,
    model: Model = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A name by which browsers may call it, besides this machine's own; may be "
            "repeated. Without it a service on another address than loopback answers to any.",
            show_default=False,
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            metavar="N",
            help="Pictures a minute that one address may send; no limit by default.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Serve the web page at / and REST under /v1, on this machine only unless told otherwise.

    Nothing of an upload is written to a disk or a log. Ctrl-C or SIGTERM finish what is in
    hand. Where the environment has CONVTRACE_TOKEN, all but the page itself and the health
    checks ask for it: Authorization: Bearer TOKEN.

    [bold]Examples[/bold]

    convtrace serve

    curl -F files=@photo.jpg http://127.0.0.1:8000/v1/scan

    CONVTRACE_TOKEN=$(openssl rand -hex 32) convtrace serve --host 0.0.0.0 --allow-host pics.lan

    Exit codes: 0 stopped when told to; 1 it could not listen there; 2 wrong usage.
    """
    from convtrace.service import Settings
    from convtrace.service import serve as run

    settings = Settings(
        host=host,
        port=port,
        workers=workers,
        token=os.environ.get(TOKEN_VARIABLE),
        allowed_hosts=tuple(allow_host or ()),
        rate=rate,
    )
    detector = load_detector(model)
    if not settings.is_local and settings.token is None:
        say(f"note: other machines can use it, and it asks for no token; set {TOKEN_VARIABLE}")
    shown = f"[{host}]" if ":" in host else host
    if port:
        say(f"convtrace: http://{shown}:{port}/ (Ctrl-C stops it)")
    if not run(detector, settings):
        complain(
            f"{shown}:{port}: cannot listen there (is it in use, or not this machine's?); give "
            "another --port or --host"
        )
        raise typer.Exit(FAILED)
