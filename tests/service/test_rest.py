"""The REST service as its clients see it."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest
from PIL import Image, PngImagePlugin

import convtrace
from service_support import multipart, picture_bytes, problem, running


def test_scan_says_what_the_library_says(service, detector, png):
    with service.client() as client:
        found = client.post("/v1/scan", files=[("files", ("Ein Bild.png", png))])
    assert found.status_code == 200
    expected = convtrace.scan(png, detector=detector).to_dict()
    assert found.json() == [{**expected, "path": "Ein Bild.png"}]
    assert found.headers["cache-control"] == "no-store"


def test_scan_tells_what_the_file_says_and_judges_as_without(service, png):
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("parameters", "<b>a cat</b>, Steps: 20, Sampler: Euler")
    stream = io.BytesIO()
    Image.open(io.BytesIO(png)).save(stream, "PNG", pnginfo=chunks)
    with service.client() as client:
        bare, told = client.post(
            "/v1/scan", files=[("files", ("a.png", png)), ("files", ("a.png", stream.getvalue()))]
        ).json()
        explained = client.post("/v1/explain", files={"files": stream.getvalue()}).json()
    (statement,) = told["provenance"]["statements"]
    assert statement["kind"] == "generator"
    assert bare["provenance"] == {"summary": [], "statements": [], "credentials": None}
    assert {**told, "provenance": None} == {**bare, "provenance": None}
    assert explained["verdict"]["provenance"] == told["provenance"]


def test_scan_of_many_keeps_their_order_and_their_errors(service, png):
    files = [(f"{n}.png", picture_bytes(n)) for n in range(5)]
    files[2:2] = [("notes.txt", b"hello " * 100), ("cut.png", png[:900]), ("empty.png", b"")]
    with service.client() as client:
        found = client.post("/v1/scan", files=[("files", each) for each in files])
    assert found.status_code == 200
    verdicts = found.json()
    assert [each["path"] for each in verdicts] == [name for name, _ in files]
    failed = {each["path"]: each["error"] for each in verdicts if each["error"]}
    assert set(failed) == {"notes.txt", "cut.png", "empty.png"}
    assert "not a picture" in failed["notes.txt"]
    assert "cut short" in failed["cut.png"]
    for each in verdicts:
        assert (each["label"] is None) == (each["path"] in failed)


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        (b"hello " * 1000, 415, "not a picture"),
        (b"%PDF-1.7 " + bytes(9000), 415, "PDF"),
        (b"", 422, "empty"),
        (picture_bytes()[:1000], 422, "cut short"),
        (picture_bytes(size=(4, 4)), 422, "4"),
    ],
)
def test_nothing_to_judge_is_a_problem_with_the_results(service, data, status, words):
    with service.client() as client:
        found = client.post("/v1/scan", files=[("files", ("x.png", data))])
        explained = client.post("/v1/explain", files=[("files", ("x.png", data))])
    body = problem(found)
    assert found.status_code == status
    assert words in body["detail"]
    assert body["results"][0]["path"] == "x.png"
    assert body["results"][0]["error"] == body["detail"]
    assert explained.status_code == status
    assert words in problem(explained)["detail"]


def test_explain_as_json_and_as_html(service, detector, png):
    upload = {"files": ("a.png", png)}
    with service.client() as client:
        as_json = client.post("/v1/explain", files=upload)
        by_accept = client.post("/v1/explain", files=upload, headers={"Accept": "text/html"})
        by_query = client.post("/v1/explain?format=html", files=upload)
    body = as_json.json()
    expected = convtrace.scan(png, detector=detector).to_dict()
    assert body["verdict"] == {**expected, "path": "a.png"}
    assert set(body["images"]) == {"overlay", "map", "misfit", "spectrum", "kernels"}
    assert all(each.startswith("data:image/png;base64,iVBOR") for each in body["images"].values())
    for html in (by_accept, by_query):
        assert html.headers["content-type"].startswith("text/html")
        assert "attachment" in html.headers["content-disposition"]
        assert "sandbox" in html.headers["content-security-policy"]
        assert body["sha256"] in html.text


def test_bad_requests_say_what_to_do(service, png):
    body, kind = multipart(png)
    wrong = [
        ({"content": png, "headers": {"Content-Type": "image/png"}}, 415),
        ({"content": png}, 415),
        ({"files": {"picture": ("a.png", png)}}, 422),
        ({"files": {"files": (None, "text")}}, 422),
        ({"content": body[:-20], "headers": {"Content-Type": kind}}, 422),
        ({"content": b"junk", "headers": {"Content-Type": kind}}, 422),
        ({"content": body, "headers": {"Content-Type": "multipart/form-data"}}, 422),
        ({"content": body, "headers": {"Content-Type": kind + "x" * 5000}}, 422),
        ({"content": b"--b--\r\n", "headers": {"Content-Type": kind}}, 422),
    ]
    with service.client() as client:
        for request, status in wrong:
            found = client.post("/v1/scan", **request)
            assert found.status_code == status, found.text
            assert "files" in problem(found)["detail"]
        two = client.post("/v1/explain", files=[("files", ("a.png", png))] * 2)
        assert two.status_code == 422
        assert problem(client.post("/v1/explain?format=pdf", files={"files": png}))["status"] == 422
        assert problem(client.get("/v1/scan"))["status"] == 405
        assert problem(client.get("/nothing"))["status"] == 404


def test_models_health_metrics_and_page(service, detector):
    with service.client() as client:
        (model,) = client.get("/v1/models").json()
        assert model["sha256"] == detector.card_.sha256
        assert client.get("/healthz").json()["status"] == "ok"
        assert client.get("/readyz").json()["max_upload_bytes"] == 50_000_000
        text = client.get("/metrics").text
        assert 'convtrace_info{version="' in text
        assert "convtrace_ready 1.0" in text
        page = client.get("/")
        assert "<!doctype html>" in page.text
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        for name in ("app.js", "app.css", "favicon.svg", "icons.svg"):
            assert client.get(f"/static/{name}").status_code == 200
        for path in ("/static/../api.py", "/static/%2e%2e/api.py", "/static/..%2fapi.py"):
            assert client.get(path).status_code == 404


def test_the_page_asks_nobody_else(service):
    with service.client() as client:
        for path in ("/", "/static/app.js", "/static/app.css"):
            text = client.get(path).text.replace("http://www.w3.org/2000/svg", "")
            assert "http://" not in text
            assert "https://" not in text


def test_every_answer_has_an_id_and_the_headers(service):
    with service.client() as client:
        given = client.get("/healthz", headers={"X-Request-ID": "abc-1"})
        assert given.headers["x-request-id"] == "abc-1"
        forged = client.get("/nothing", headers={"X-Request-ID": 'a" b'})
        assert forged.headers["x-request-id"] != 'a" b'
        assert forged.json()["request_id"] == forged.headers["x-request-id"]
        for response in (given, forged, client.get("/"), client.post("/v1/scan")):
            assert response.headers["x-content-type-options"] == "nosniff"
            assert "access-control-allow-origin" not in response.headers
            assert "server" not in response.headers


def test_other_hosts_are_not_answered(service):
    with service.client() as client:
        for host in ("evil.example", "127.0.0.1.evil.example:80", "localhost.", "", "[::1"):
            found = client.get("/healthz", headers={"Host": host})
            assert found.status_code == 421, host
            problem(found)
        for host in ("localhost", "LOCALHOST:99", "127.0.0.1:8000", "[::1]:8000"):
            assert client.get("/healthz", headers={"Host": host}).status_code == 200, host
        crossing = client.post("/v1/scan", headers={"Sec-Fetch-Site": "cross-site"})
        assert problem(crossing)["status"] == 403


def test_token(detector, png):
    limits = {"token": "Sesam", "allowed_hosts": ("pics.lan",)}
    with running(detector, **limits) as service, service.client() as client:
        for headers in (
            {},
            {"Authorization": "Bearer sesam"},
            {"Authorization": "Basic Sesam"},
        ):
            for path in ("/v1/models", "/metrics"):
                found = client.get(path, headers=headers)
                assert problem(found)["status"] == 401
                assert found.headers["www-authenticate"] == "Bearer"
            refused = client.post("/v1/scan", files={"files": png}, headers=headers)
            assert refused.status_code == 401
        right = {"Authorization": "Bearer Sesam"}
        assert client.get("/v1/models", headers=right).status_code == 200
        assert client.get("/metrics", headers=right).status_code == 200
        assert client.post("/v1/scan", files={"files": png}, headers=right).status_code == 200
        for path in ("/", "/healthz", "/readyz", "/static/app.js", "/openapi.json"):
            assert client.get(path).status_code == 200
        assert client.get("/readyz").json()["token_needed"] is True
        assert client.get("/healthz", headers={"Host": "pics.lan:80"}).status_code == 200
        assert client.get("/healthz", headers={"Host": "other.lan"}).status_code == 421
        schema = client.get("/openapi.json").json()
        assert schema["paths"]["/v1/scan"]["post"]["security"] == [{"token": []}]


_AUDITED = """
import asyncio, sys, threading, time
import httpx
from convtrace.detection import bundled
from convtrace.service import Settings, make_server

server = make_server(bundled(), Settings(port=0))
thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
thread.start()
while not server.started:
    time.sleep(0.05)
port = server.servers[0].sockets[0].getsockname()[1]
client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=180, trust_env=False)
while client.get("/readyz").status_code != 200:
    time.sleep(0.1)
data = sys.stdin.buffer.read()
written = []

def audit(event, arguments):
    if event.startswith("tempfile."):
        written.append(event)
    elif event == "open":
        path, mode, flags = arguments
        if (flags & 3 if mode is None else set(mode) & set("wax+")):
            written.append(str(path))

sys.addaudithook(audit)
files = [("files", ("secret.bmp", data)), ("files", ("secret.txt", b"hello"))]
made = client.post("/v1/scan", files=files)
print(made.status_code, made.json()[0]["label"] is not None, written)
server.should_exit = True
thread.join()
"""


def test_nothing_of_an_upload_is_written_to_log_or_disk():
    # Large enough for what spools to the disk over some size.
    large = picture_bytes(size=(1100, 1000), form="BMP")
    done = subprocess.run(
        [sys.executable, "-c", _AUDITED], input=large, capture_output=True, timeout=300, check=True
    )
    assert done.stdout.decode().strip() == "200 True []"
    lines = [json.loads(line) for line in done.stderr.decode().splitlines()]
    (request,) = [line for line in lines if line.get("route") == "/v1/scan"]
    assert request["pictures"] == 2
    assert request["bytes"] > len(large)
    assert b"secret" not in done.stderr
    assert b"127.0.0.1" not in done.stderr
