"""The service: REST and the web page.

The application is made by `create_app`, run by `serve`; its limits are `Settings`.
"""

from __future__ import annotations

from convtrace.service.api import create_app
from convtrace.service.server import make_server, serve
from convtrace.service.settings import Settings, is_loopback

__all__ = ["Settings", "create_app", "is_loopback", "make_server", "serve"]
