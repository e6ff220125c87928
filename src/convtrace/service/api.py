"""The routes: the page at /, REST under /v1, health, metrics."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import quote

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp

from convtrace._version import __version__
from convtrace.detection import Detector
from convtrace.service import metrics as prometheus
from convtrace.service import schemas
from convtrace.service.admission import Admission, Budget
from convtrace.service.judges import Ended, Fault, Job
from convtrace.service.judging import Explained, Outcome, crashed, explain_upload, judge_upload
from convtrace.service.logs import log
from convtrace.service.metrics import Metrics
from convtrace.service.middleware import CLIENT_GONE, Guard, Observer, facts_of
from convtrace.service.problems import Problem
from convtrace.service.settings import Settings
from convtrace.service.uploads import Upload, paced, read_uploads
from convtrace.service.workroom import Workroom

__all__ = ["create_app"]

T = TypeVar("T")

_PAGE = Path(__file__).parent / "page"
# A report brings its own styles and script within itself, and may reach nothing else.
_REPORT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'"
)
_ALWAYS = (401, 403, 421, 500)
_UPLOADS = (*_ALWAYS, 408, 413, 415, 422, 429, 503)


class _Desk:
    """What the routes share."""

    def __init__(self, detector: Detector, settings: Settings) -> None:
        self.settings = settings
        self.workroom = Workroom(detector, settings)
        self.admission = Admission(settings)
        self.budget = Budget(settings.max_held_bytes)
        self.metrics = Metrics(
            in_hand=lambda: self.admission.in_hand,
            held_bytes=lambda: self.budget.held,
            ready=lambda: float(self.workroom.is_ready),
            judges_bytes=self.workroom.resident_bytes,
        )

    async def uploaded(
        self, request: Request, work: Callable[[list[Upload]], Coroutine[Any, Any, T]]
    ) -> T:
        """Take the uploads of a request in, within all limits, and work on them."""
        self.workroom.check_ready()
        client = request.client.host if request.client else "unknown"
        with self.admission.client(client), self.budget.account() as take:
            body = paced(request.stream(), self.settings, take)
            uploads = await read_uploads(request.headers, body, self.settings)
            facts_of(request.scope).pictures = len(uploads)
            with self.admission.work(client, len(uploads)):
                return await _unless_gone(request, work(uploads), self.settings.request_seconds)

    async def judge(self, uploads: list[Upload]) -> list[Outcome]:
        """Judge the uploads of one request; never more at once than there are processes.

        So the pictures of a large request wait among themselves, not before those of others.
        """
        gate = asyncio.Semaphore(self.settings.at_once)

        async def one(upload: Upload) -> Outcome:
            async with gate:
                try:
                    found: Outcome = await self.workroom.run(Job(judge_upload, (upload,)))
                except Ended:
                    return crashed(upload)
                return found

        return list(await asyncio.gather(*map(one, uploads)))

    async def explain(self, uploads: list[Upload], *, as_html: bool) -> Response:
        """Explain a single upload."""
        if len(uploads) != 1:
            raise Problem(422, f"One picture is explained at a time, not {len(uploads)}.")
        job = Job(explain_upload, (uploads[0],), {"as_html": as_html})
        try:
            found: Explained = await self.workroom.run(job)
        except Ended:
            lost = crashed(uploads[0])
            found = Explained(b"", lost.status, str(lost.verdict.error))
        if found.status != 200:
            raise Problem(found.status, found.error)
        if as_html:
            return _html(found.body, uploads[0].name)
        return Response(found.body, media_type="application/json")


async def _unless_gone(request: Request, work: Coroutine[Any, Any, T], seconds: float) -> T:
    """Wait for work; stop waiting where the client hangs up or the time is over."""
    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_hang_up(request))
    try:
        done, _ = await asyncio.wait(
            {working, gone}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        if working in done:
            return working.result()
        if gone in done:
            raise ClientDisconnect
        raise Problem(
            503,
            f"There was no verdict within {seconds:g} seconds; try again later, with fewer or "
            "smaller pictures.",
            retry_after=seconds / 4,
        )
    finally:
        working.cancel()
        gone.cancel()


async def _hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _html(body: bytes, name: str) -> Response:
    stem = Path(name).stem or "picture"
    disposition = (
        f"attachment; filename=\"convtrace-report.html\"; filename*=UTF-8''{quote(stem, safe='')}"
        "-convtrace.html"
    )
    return Response(
        body,
        media_type="text/html",
        headers={
            "Content-Disposition": disposition,
            "Content-Security-Policy": _REPORT_POLICY,
        },
    )


def create_app(detector: Detector, settings: Settings | None = None) -> ASGIApp:
    """Make the service as an ASGI application.

    Parameters
    ----------
    detector : Detector
        What judges the pictures.
    settings : Settings, optional
        Its limits; the time limits on heads and answers are those of `convtrace.service.serve`.

    Returns
    -------
    ASGI application
    """
    desk = _Desk(detector, settings or Settings())

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        warming = asyncio.create_task(_warm_up(desk.workroom))
        try:
            yield
        finally:
            warming.cancel()
            desk.workroom.close()

    app = FastAPI(
        title="convtrace",
        version=__version__,
        summary="Camera photographs told from generated images by their convolutional traces.",
        description="Nothing of an upload is written to a disk or a log. A verdict is one piece "
        "of evidence, never proof: see `/v1/models` for what was measured.",
        lifespan=lifespan,
        # They load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
    )
    _add_verdicts(app, desk)
    _add_health(app, desk)
    _add_page(app)
    _add_problems(app)
    _describe(app, desk.settings)
    return Observer(Guard(app, desk.settings), desk.metrics)


async def _warm_up(workroom: Workroom) -> None:
    await workroom.warm_up()
    log("ready" if workroom.failure is None else "failed", reason=workroom.failure)


def _add_verdicts(app: FastAPI, desk: _Desk) -> None:
    @app.post(
        "/v1/scan",
        summary="Judge one or many pictures",
        operation_id="scan",
        response_model=list[schemas.VerdictBody],
        responses=schemas.problems(*_UPLOADS),
        openapi_extra={"requestBody": schemas.UPLOAD_BODY["many"]},
    )
    async def scan(request: Request) -> Response:
        """Return one object for each file, in their order.

        A file that cannot be judged has an `error` among the others' verdicts. Where no file
        can be judged, the answer is a problem: 415 where the first is no picture, 422 where
        it cannot be judged; its `results` has the object of each.
        """
        outcomes = await desk.uploaded(request, desk.judge)
        facts = facts_of(request.scope)
        facts.outcomes += [outcome.verdict.label or "error" for outcome in outcomes]
        verdicts = [outcome.verdict.to_dict() for outcome in outcomes]
        if all(outcome.status != 200 for outcome in outcomes):
            raise Problem(outcomes[0].status, str(outcomes[0].verdict.error), results=verdicts)
        return JSONResponse(verdicts)

    @app.post(
        "/v1/explain",
        summary="Explain the verdict on one picture",
        operation_id="explain",
        responses={
            200: {
                "description": "As JSON (with the pictures as data addresses under `images`), or "
                "as one self-contained HTML file.",
                "content": {
                    "application/json": {
                        "schema": {"type": "object"},
                        "example": schemas.EXPLANATION_EXAMPLE,
                    },
                    "text/html": {"schema": {"type": "string"}},
                },
            },
            **schemas.problems(*_UPLOADS),
        },
        openapi_extra={"requestBody": schemas.UPLOAD_BODY["one"]},
    )
    async def explain(
        request: Request,
        form: Annotated[
            Literal["json", "html"] | None,
            Query(alias="format", description="Instead of the header Accept."),
        ] = None,
    ) -> Response:
        """Return kernels, posterior map, spectrum, metadata and the verdict with its reasons."""
        as_html = form == "html" or (form is None and _prefers_html(request))
        return await desk.uploaded(request, partial(desk.explain, as_html=as_html))

    @app.get(
        "/v1/models",
        summary="The detector, its card and its limits",
        operation_id="models",
        response_model=list[schemas.ModelBody],
        responses=schemas.problems(*_ALWAYS),
    )
    async def models() -> Response:
        """Return what judges here: training data, measured results, limits, hash."""
        card = desk.workroom.detector.card_.to_dict()
        shown = {key: card[key] for key in ("name", "sha256", "created", "limits")}
        return JSONResponse([{**shown, "card": card}])


def _prefers_html(request: Request) -> bool:
    accept = request.headers.get("accept", "")
    html, as_json = accept.find("text/html"), accept.find("application/json")
    return html >= 0 and (as_json < 0 or html < as_json)


def _add_health(app: FastAPI, desk: _Desk) -> None:
    settings = desk.settings
    taken = {
        "token_needed": settings.token is not None,
        "max_upload_bytes": settings.max_upload_bytes,
        "max_files": settings.max_files,
    }

    @app.get(
        "/healthz",
        summary="Whether the service lives",
        operation_id="healthz",
        response_model=schemas.StatusBody,
        responses=schemas.problems(421, 500, 503),
    )
    async def healthz() -> Response:
        """Answer 200 as long as it need not be started anew."""
        if desk.workroom.failure is not None:
            desk.workroom.check_ready()
        return JSONResponse({"status": "ok", "version": __version__})

    @app.get(
        "/readyz",
        summary="Whether the service is ready for pictures",
        operation_id="readyz",
        response_model=schemas.ReadyBody,
        responses=schemas.problems(421, 500, 503),
    )
    async def readyz() -> Response:
        """Answer 200 once the solver is compiled and the detector has judged a picture."""
        try:
            desk.workroom.check_ready()
        except Problem as problem:
            problem.members |= taken
            raise
        return JSONResponse({"status": "ready", **taken})

    @app.get(
        "/metrics",
        summary="Prometheus metrics",
        operation_id="metrics",
        responses={
            200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
            **schemas.problems(401, 421, 500),
        },
        response_class=Response,
    )
    async def metrics() -> Response:
        """Return counts and times; no names, no addresses."""
        return Response(desk.metrics.text(), media_type=prometheus.CONTENT_TYPE)


def _add_page(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        return FileResponse(_PAGE / "index.html", headers={"Cache-Control": "no-cache"})

    app.mount("/static", StaticFiles(directory=_PAGE), name="static")


def _add_problems(app: FastAPI) -> None:
    def answer(request: Request, problem: Problem) -> Response:
        problem.members["request_id"] = facts_of(request.scope).request_id
        return problem.response()

    @app.exception_handler(Problem)
    async def _problem(request: Request, error: Problem) -> Response:
        return answer(request, error)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        words = {
            404: "There is nothing here; the page is at /, the description at /openapi.json.",
            405: "This method is not allowed here; see /openapi.json.",
        }
        detail = words.get(error.status_code, str(error.detail))
        return answer(request, Problem(error.status_code, detail, headers=error.headers))

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> Response:
        where = "; ".join(
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()
        )
        return answer(request, Problem(422, f"The request is malformed: {where}."))

    @app.exception_handler(ClientDisconnect)
    async def _gone(_request: Request, _error: ClientDisconnect) -> Response:
        # Nobody reads it; the log and the metrics do.
        return Response(status_code=CLIENT_GONE)

    @app.exception_handler(Exception)
    async def _fault(request: Request, error: Exception) -> Response:
        if isinstance(error, Fault):
            log("fault", request_id=facts_of(request.scope).request_id, where=error.where)
        return answer(
            request,
            Problem(
                500,
                "A fault of the service; its log has more under request_id.",
                # Uvicorn closes the connection after a fault; the client must know.
                headers={"Connection": "close"},
            ),
        )


def _describe(app: FastAPI, settings: Settings) -> None:
    """Complete the OpenAPI description: problems, the token."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(
                title=app.title,
                version=app.version,
                summary=app.summary,
                description=app.description,
                routes=app.routes,
            )
            components = schema.setdefault("components", {})
            parts = components.setdefault("schemas", {})
            problem = schemas.ProblemBody.model_json_schema(
                ref_template="#/components/schemas/{model}"
            )
            parts |= problem.pop("$defs", {})
            parts["ProblemBody"] = problem
            if settings.token is not None:
                components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
                for path, methods in schema["paths"].items():
                    if path.startswith("/v1/") or path == "/metrics":
                        for operation in methods.values():
                            operation["security"] = [{"token": []}]
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
