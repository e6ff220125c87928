"""The service: one server, the processes that judge behind it, an orderly end."""

from __future__ import annotations

import math
import signal
import threading

import uvicorn

from convtrace.detection import Detector
from convtrace.service.api import create_app
from convtrace.service.logs import config as log_config
from convtrace.service.logs import log
from convtrace.service.protocol import guarded
from convtrace.service.settings import Settings

__all__ = ["make_server", "serve"]


def make_server(detector: Detector, settings: Settings) -> uvicorn.Server:
    """Make the server without starting it.

    Parameters
    ----------
    detector : Detector
        What judges the pictures.
    settings : Settings
        Address and limits.

    Returns
    -------
    uvicorn.Server
    """
    return uvicorn.Server(
        uvicorn.Config(
            create_app(detector, settings),
            host=settings.host,
            port=settings.port,
            http=guarded(settings),
            loop="asyncio",
            ws="none",
            lifespan="on",
            log_config=log_config(),
            access_log=False,
            # Anyone on this machine could claim any address by a header.
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=math.ceil(settings.header_seconds),
            timeout_graceful_shutdown=math.ceil(settings.shutdown_seconds),
        )
    )


def serve(detector: Detector, settings: Settings) -> bool:
    """Serve until told to stop by Ctrl-C or SIGTERM; then finish what is in hand.

    Parameters
    ----------
    detector : Detector
        What judges the pictures.
    settings : Settings
        Address and limits.

    Returns
    -------
    bool
        Whether it ever started; it does not where the address is taken.
    """
    server = make_server(detector, settings)
    if threading.current_thread() is threading.main_thread():
        # Uvicorn raises the signal once more after an orderly end, which is no failure.
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.signal(signal.SIGINT, lambda *_: None)
    log("starting", host=settings.host, port=settings.port, workers=settings.at_once)
    try:
        server.run()
    except SystemExit:
        return False
    log("stopped")
    return server.started
