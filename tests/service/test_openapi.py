"""The service by its OpenAPI description: whatever is thrown at it, it answers as described."""

from __future__ import annotations

import contextlib
import importlib

import pytest
from hypothesis import HealthCheck, given, settings

from convtrace.service import Settings, create_app

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")

# Everything that schemathesis would import later: CPython 3.11 cannot build two syntax trees at
# once, and pytest builds one of each module of a plugin while the service's thread may too.
for _late in (
    "specs.openapi.schemas",
    "specs.openapi.object_authorization",
    "generation.body_overrides",
    "generation.dictionaries",
    "transport.asgi",
    "transport.wsgi",
    "wfc.escalation",
):
    # Another version may have other modules.
    with contextlib.suppress(ImportError):
        importlib.import_module(f"schemathesis.{_late}")
checks = pytest.importorskip("schemathesis.specs.openapi.checks")
UPLOADS = ("/v1/scan", "/v1/explain")


@pytest.fixture(scope="module")
def schema(service):
    return schemathesis.openapi.from_url(f"{service.url}/openapi.json")


@pytest.mark.parametrize(
    "path", ["/v1/scan", "/v1/explain", "/v1/models", "/healthz", "/readyz", "/metrics"]
)
def test_answers_as_described(schema, path):
    for operation in schema[path].values():

        @given(case=operation.as_strategy())
        @settings(
            max_examples=15,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        def check(case):
            # That a file is a picture of some size is nothing that a schema can say.
            skipped = [checks.positive_data_acceptance] if path in UPLOADS else []
            case.call_and_validate(timeout=60, excluded_checks=skipped)

        check()


def test_description_is_complete(detector):
    import asyncio

    import httpx

    app = create_app(detector, Settings())

    async def get() -> dict:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return (await client.get("/openapi.json")).json()

    described = asyncio.run(get())
    assert set(described["paths"]) == {
        "/v1/scan",
        "/v1/explain",
        "/v1/models",
        "/healthz",
        "/readyz",
        "/metrics",
    }
    scan = described["paths"]["/v1/scan"]["post"]
    assert {"200", "401", "413", "415", "422", "429", "503"} <= set(scan["responses"])
    assert "multipart/form-data" in scan["requestBody"]["content"]
    assert described["components"]["schemas"]["VerdictBody"]["examples"]
