"""What goes in and out, for the OpenAPI description."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from convtrace.image.provenance import KINDS

__all__ = [
    "EXPLANATION_EXAMPLE",
    "UPLOAD_BODY",
    "ModelBody",
    "ProblemBody",
    "ReadyBody",
    "StatusBody",
    "VerdictBody",
    "problems",
]

_VERDICT_EXAMPLE: dict[str, Any] = {
    "path": "beach.png",
    "label": "generated",
    "probability": 0.89,
    "generator": "unknown",
    "reasons": ["Its pixels give a probability of 0.89 of being generated: ..."],
    "error": None,
    "provenance": {
        "summary": ["The file names a camera: Canon, EOS 5D."],
        "statements": [
            {"source": "EXIF", "name": "Make", "value": "Canon", "kind": "camera"},
            {"source": "EXIF", "name": "Model", "value": "EOS 5D", "kind": "camera"},
        ],
        "credentials": None,
    },
}
_FAILED_EXAMPLE: dict[str, Any] = {
    "path": "notes.txt",
    "label": None,
    "probability": None,
    "generator": None,
    "reasons": None,
    "error": "notes.txt: not a picture: it looks like text; give JPEG, PNG, WebP, TIFF, BMP, "
    "GIF, HEIC, AVIF or PPM",
    "provenance": None,
}


class StatementBody(BaseModel):
    """One thing that a file says of its origin."""

    model_config = ConfigDict(title="Statement")

    source: str = Field(description="EXIF, XMP, IPTC, PNG text, comment, C2PA or file.")
    name: str
    value: str
    kind: Literal[KINDS] = Field(  # type: ignore[valid-type]
        description="generator: it names a program that generates images, or is of a form that "
        "such programs write."
    )


class CredentialsBody(BaseModel):
    """A C2PA manifest."""

    model_config = ConfigDict(title="Credentials")

    status: Literal["valid", "unknown signer", "invalid", "not checked"]
    reason: str
    generator: str = Field(description="The program that claims to have made it.")
    signer: str
    time: str
    actions: list[str]


class ProvenanceBody(BaseModel):
    """What a file says of its origin: evidence of its own, of which no verdict makes use."""

    model_config = ConfigDict(title="Provenance")

    summary: list[str] = Field(description="Plain sentences.")
    statements: list[StatementBody]
    credentials: CredentialsBody | None


class VerdictBody(BaseModel):
    """The verdict on one picture: the object that `convtrace scan --json` prints."""

    model_config = ConfigDict(
        title="Verdict", json_schema_extra={"examples": [_VERDICT_EXAMPLE, _FAILED_EXAMPLE]}
    )

    path: str = Field(description="Name of the file as it was sent.")
    label: Literal["real", "generated", "unsure"] | None = Field(
        description="What the picture is held to be; null where there is an error."
    )
    probability: float | None = Field(
        ge=0,
        le=1,
        description="Of being generated, for a picture as likely real as generated beforehand.",
    )
    generator: str | None = Field(
        description="For generated pictures the known generator that the trace points to, or "
        "'unknown'."
    )
    reasons: list[str] | None = Field(description="Plain sentences.")
    error: str | None = Field(description="Why there is no verdict; null where there is one.")
    provenance: ProvenanceBody | None = Field(
        description="What the file says of its origin; the rest makes no use of it."
    )


class ProblemBody(BaseModel):
    """Why a request was refused (RFC 9457)."""

    model_config = ConfigDict(title="Problem", extra="allow")

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Content Too Large"])
    status: int = Field(examples=[413])
    detail: str = Field(examples=["A picture is larger than 50 MB; ..."])
    request_id: str = Field(default="", examples=["0f1e2d3c"])
    results: list[VerdictBody] | None = Field(
        default=None, description="Of each file, where none could be judged."
    )


class StatusBody(BaseModel):
    """Whether the service lives."""

    status: str = Field(examples=["ok"])
    version: str


class ReadyBody(BaseModel):
    """That the service is ready, and what it takes."""

    status: str = Field(examples=["ready"])
    token_needed: bool
    max_upload_bytes: int = Field(examples=[50_000_000])
    max_files: int = Field(examples=[100])


class ModelBody(BaseModel):
    """A detector of this service."""

    name: str
    sha256: str
    created: str
    limits: list[str] = Field(description="What it cannot do.")
    card: dict[str, Any] = Field(description="Training data and measured results.")


def _part(schema: dict[str, Any]) -> dict[str, Any]:
    body = {
        "type": "object",
        "required": ["files"],
        "properties": {"files": schema},
        "additionalProperties": False,
    }
    return {"required": True, "content": {"multipart/form-data": {"schema": body}}}


_FILE = {
    "type": "string",
    "contentMediaType": "application/octet-stream",
    "format": "binary",
    "description": "An encoded picture: JPEG, PNG, WebP, TIFF, BMP, GIF, HEIC, AVIF or PPM.",
}

UPLOAD_BODY: Final[dict[str, dict[str, Any]]] = {
    "many": _part({"type": "array", "minItems": 1, "items": _FILE}),
    "one": _part(_FILE),
}
"""Request bodies: of one picture, and of one or many."""

EXPLANATION_EXAMPLE: Final[dict[str, Any]] = {
    "verdict": _VERDICT_EXAMPLE,
    "sha256": "0f1e...",
    "images": {"overlay": "data:image/png;base64,..."},
}

_MEANINGS = {
    401: "The token is missing or wrong.",
    403: "The request comes from a page of another site.",
    408: "The upload came too slowly.",
    413: "A picture, or all of them, are too large, or too many.",
    415: "The body is not multipart/form-data, or no file is a picture.",
    421: "The service does not answer under this host name.",
    422: "The body or a parameter is malformed, or no picture can be judged.",
    429: "Too many requests or pictures from one address; see Retry-After.",
    500: "A fault of the service.",
    503: "The service is starting, full, or took too long; see Retry-After.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the problems that a route may answer.

    Parameters
    ----------
    *statuses : int
        Their statuses.

    Returns
    -------
    dict
        For the argument ``responses`` of FastAPI.
    """
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}
    return {
        status: {
            "description": _MEANINGS[status],
            "content": content,
            **({"headers": _RETRY_AFTER} if status in (429, 503) else {}),
        }
        for status in statuses
    }


_RETRY_AFTER = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
