"""What is written of a fault: where, never what."""

from __future__ import annotations

import io
import json
import logging
import logging.config
import sys

import httpx

from convtrace.service.logs import JsonFormatter, config, log
from service_support import problem, running


def test_an_exception_is_written_without_its_message():
    try:
        raise ValueError("secret-holiday.png")
    except ValueError as error:
        record = logging.LogRecord(
            "uvicorn.error", logging.ERROR, __file__, 1, "Exception\n", (), (None, error, None)
        )
    line = json.loads(JsonFormatter().format(record))
    assert line["exception"][0] == "ValueError"
    assert "test_logs.py" in line["exception"][1]
    assert "secret" not in json.dumps(line)


def test_loggers_of_other_libraries_are_left_alone():
    assert set(config()["loggers"]) == {"uvicorn", "uvicorn.error", "convtrace.service"}
    assert config()["disable_existing_loggers"] is False


def test_lines_go_to_what_is_the_standard_error_now(monkeypatch):
    names = ("uvicorn", "uvicorn.error", "convtrace.service")
    loggers = [logging.getLogger(name) for name in names]
    before = [(one.handlers[:], one.level, one.propagate) for one in loggers]
    try:
        first, second = io.StringIO(), io.StringIO()
        monkeypatch.setattr(sys, "stderr", first)
        logging.config.dictConfig(config())
        log("first")
        written = first.getvalue()
        first.close()
        # Nobody can be told of it, and nothing is raised.
        log("lost")
        monkeypatch.setattr(sys, "stderr", second)
        log("second")
        monkeypatch.setattr(sys, "stderr", None)
        log("lost")
    finally:
        for one, (handlers, level, propagate) in zip(loggers, before, strict=True):
            one.handlers, one.propagate = handlers, propagate
            one.setLevel(level)
    assert json.loads(written)["event"] == "first"
    assert [json.loads(line)["event"] for line in second.getvalue().splitlines()] == ["second"]


def test_a_fault_is_a_problem_with_an_id_and_the_service_goes_on(detector, png, capfd):
    class Faulty:
        card_ = detector.card_
        calls = 0

        def verdict(self, source):
            self.calls += 1
            if self.calls == 2:
                raise RuntimeError("secret")
            return detector.verdict(source)

    with running(Faulty()) as service, service.client() as client:
        found = client.post("/v1/scan", files={"files": png})
        assert problem(found)["status"] == 500
        assert found.json()["request_id"] == found.headers["x-request-id"]
        assert "secret" not in found.text
        assert client.post("/v1/scan", files={"files": png}).status_code == 200
    written = capfd.readouterr().err
    assert "RuntimeError" in written
    assert "secret" not in written


def test_head_and_options_are_answered_in_order(service):
    with httpx.Client(base_url=service.url, trust_env=False) as client:
        assert client.head("/static/app.js").status_code == 200
        assert client.options("/v1/scan").status_code == 405
        assert "access-control-allow-methods" not in client.options("/v1/scan").headers
