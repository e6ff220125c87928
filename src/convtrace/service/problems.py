"""Errors as ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

import http
import json
import math
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

__all__ = ["MEDIA_TYPE", "Problem"]

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):  # noqa: N818  # the word of the standard
    """Why a request is refused; raised anywhere below a route.

    Parameters
    ----------
    status : int
        HTTP status.
    detail : str
        One sentence with the reason and the way out.
    retry_after : float, optional
        Seconds until it is worth while to try again.
    headers : mapping, optional
        Further headers.
    **members
        Further members of the JSON object.

    Examples
    --------
    >>> Problem(413, "too much").to_dict()["title"]
    'Content Too Large'
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["Retry-After"] = str(max(1, math.ceil(retry_after)))
        self.members = members

    def to_dict(self) -> dict[str, Any]:
        """Return the members of the problem.

        Returns
        -------
        dict
            type, title, status, detail and whatever else it has.
        """
        return {
            "type": "about:blank",
            "title": _TITLES.get(self.status) or http.HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **self.members,
        }

    def response(self) -> Response:
        """Return the answer to send.

        Returns
        -------
        starlette.responses.Response
        """
        return Response(
            json.dumps(self.to_dict()),
            status_code=self.status,
            headers=self.headers,
            media_type=MEDIA_TYPE,
        )


# As in RFC 9110; older Pythons have older names for them.
_TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}
