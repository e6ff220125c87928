"""Each limit, hit on purpose."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from convtrace.service.admission import Budget, RateLimit
from convtrace.service.problems import Problem
from service_support import (
    SECONDS,
    head,
    multipart,
    picture_bytes,
    problem,
    read_all,
    running,
    wait_for,
)


def test_too_large_is_refused_as_it_comes(detector, png):
    with running(detector, max_upload_bytes=100_000) as service, service.client() as client:
        just = png + bytes(100_000 - len(png))
        assert client.post("/v1/scan", files={"files": just}).status_code == 200
        found = client.post("/v1/scan", files={"files": just + b"x"})
        assert problem(found)["status"] == 413
        # Refused long before the end of a body of a length that nobody announced.
        body, kind = multipart(bytes(50_000_000))
        chunks = (body[at : at + 65536] for at in range(0, len(body), 65536))
        found = client.post("/v1/scan", content=chunks, headers={"Content-Type": kind})
        assert problem(found)["status"] == 413
        assert service.metric("convtrace_held_bytes") == 0
        assert client.post("/v1/scan", files={"files": png}).status_code == 200


def test_announced_too_large_is_refused_unread(service):
    with service.socket() as connection:
        connection.sendall(head(300_000_000))
        assert b" 413 " in connection.recv(65536)


def test_more_than_50_mb_is_too_large_by_default(service):
    with service.client() as client:
        found = client.post("/v1/scan", files={"files": bytes(50_000_001)})
    assert problem(found)["status"] == 413
    assert "50 MB" in found.json()["detail"]


def test_too_many_bytes_and_too_many_files_at_once(detector, png):
    limits = {"max_request_bytes": 3 * len(png), "max_files": 5}
    with running(detector, **limits) as service, service.client() as client:
        four = client.post("/v1/scan", files=[("files", ("a.png", png))] * 4)
        assert problem(four)["status"] == 413
        six = client.post("/v1/scan", files=[("files", ("a.txt", b"hello"))] * 6)
        assert problem(six)["status"] == 413
        assert "5 pictures" in six.json()["detail"]


def test_too_many_pixels_and_too_slow_to_decode(detector, png):
    with running(detector, max_pixels=10_000) as service, service.client() as client:
        found = client.post("/v1/scan", files={"files": png})
        assert problem(found)["status"] == 422
        assert "pixels" in found.json()["detail"]
        assert "max_pixels" not in found.json()["detail"]
        assert problem(client.post("/v1/explain", files={"files": png}))["status"] == 422
    with running(detector, decode_seconds=0.0) as service, service.client() as client:
        found = client.post("/v1/scan", files={"files": png})
        assert problem(found)["status"] == 422
        assert "decoding took longer" in found.json()["detail"]


def _post(service, png, path="/v1/scan"):
    with service.client() as client:
        return client.post(path, files={"files": ("a.png", png)})


def test_a_full_queue_is_503(slow, png):
    with running(slow, workers=1, queue=2, per_client=100) as service:
        with ThreadPoolExecutor(8) as pool:
            held = [pool.submit(_post, service, png) for _ in range(3)]
            wait_for(lambda: service.metric("convtrace_requests_in_hand") == 3)
            refused = _post(service, png)
            assert problem(refused)["status"] == 503
            assert int(refused.headers["retry-after"]) >= 1
            slow.go.set()
            assert [each.result().status_code for each in held] == [200] * 3
        assert _post(service, png).status_code == 200


def test_one_client_with_too_many_requests_is_429(slow, png):
    with running(slow, workers=1, per_client=2) as service, ThreadPoolExecutor(8) as pool:
        held = [pool.submit(_post, service, png) for _ in range(2)]
        wait_for(lambda: service.metric("convtrace_requests_in_hand") == 2)
        refused = _post(service, png)
        assert problem(refused)["status"] == 429
        assert int(refused.headers["retry-after"]) >= 1
        slow.go.set()
        assert [each.result().status_code for each in held] == [200] * 2


def test_pictures_a_minute(detector, png):
    with running(detector, rate=3) as service, service.client() as client:
        files = [("files", ("a.png", png))]
        assert client.post("/v1/scan", files=files * 2).status_code == 200
        assert client.post("/v1/scan", files=files).status_code == 200
        refused = client.post("/v1/scan", files=files)
        assert problem(refused)["status"] == 429
        assert 1 <= int(refused.headers["retry-after"]) <= 20


def test_no_verdict_in_time_is_503_and_what_waits_never_begins(slow, png):
    with running(slow, workers=1, request_seconds=0.5) as service, ThreadPoolExecutor(2) as pool:
        both = [pool.submit(_post, service, png) for _ in range(2)]
        for each in both:
            assert problem(each.result())["status"] == 503
            assert "retry-after" in each.result().headers
        slow.go.set()
        time.sleep(0.5)
        assert slow.begun == 1


def test_bytes_in_memory_are_bounded(slow, png):
    with running(slow, workers=1, max_held_bytes=int(1.5 * len(png))) as service:
        with ThreadPoolExecutor(1) as pool:
            held = pool.submit(_post, service, png)
            wait_for(lambda: service.metric("convtrace_requests_in_hand") == 1)
            refused = _post(service, png)
            assert problem(refused)["status"] == 503
            slow.go.set()
            assert held.result().status_code == 200
        assert service.metric("convtrace_held_bytes") == 0


def test_not_ready_before_the_warm_up_is_done(slow, png):
    slow._warm = True
    with running(slow, ready=False) as service, service.client() as client:
        found = client.get("/readyz")
        assert problem(found)["status"] == 503
        assert found.json()["max_upload_bytes"] == 50_000_000
        assert client.get("/healthz").status_code == 200
        refused = client.post("/v1/scan", files={"files": png})
        assert problem(refused)["status"] == 503
        assert int(refused.headers["retry-after"]) >= 1
        slow.go.set()
        service.wait_until()


def test_a_detector_that_fails_is_neither_ready_nor_sound(detector):
    class Broken:
        card_ = detector.card_

        def verdict(self, _source):
            raise RuntimeError("broken")

    with running(Broken(), ready=False) as service:
        service.wait_until("/healthz", 503)
        with service.client() as client:
            assert "broken" in problem(client.get("/readyz"))["detail"]


# ------------------------------------------------------------------ clients that misbehave


def test_slow_heads_are_cut_off(detector):
    with running(detector, header_seconds=0.5) as service:
        silent, dripping = service.socket(), service.socket()
        with silent, dripping:
            start = time.monotonic()
            dripping.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: ")
            closed = False
            while time.monotonic() - start < 10 and not closed:
                try:
                    dripping.sendall(b"a")
                except OSError:
                    closed = True
                time.sleep(0.1)
            assert closed
            assert read_all(silent) == b""
        # Also the second request of a connection.
        with service.socket() as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hea")
            start = time.monotonic()
            assert read_all(connection).count(b"HTTP/1.1") == 1
            assert time.monotonic() - start < 10


def test_slow_bodies_are_cut_off_and_hold_no_place(detector, png):
    limits = {"body_grace_seconds": 0.5, "queue": 0, "workers": 1}
    with running(detector, **limits) as service:
        drips = [service.socket() for _ in range(5)]
        for each in drips:
            each.sendall(head(100_000) + b"--b\r\n")
        # While they drip, others are served.
        assert _post(service, png).status_code == 200
        for each in drips:
            with each:
                answer = read_all(each)
                assert b" 408 " in answer
                assert b"problem+json" in answer


def test_a_client_that_hangs_up_in_mid_upload(service, png):
    before = service.metric('convtrace_requests_total{method="POST",route="/v1/scan",status="499"}')
    for _ in range(3):
        with service.socket() as connection:
            connection.sendall(head(len(png) + 500) + multipart(png)[0][:5000])
            time.sleep(0.05)
    wait_for(
        lambda: (
            service.metric('convtrace_requests_total{method="POST",route="/v1/scan",status="499"}')
            == before + 3
        )
    )
    assert service.metric("convtrace_held_bytes") == 0
    assert service.metric("convtrace_requests_in_hand") == 0


def test_what_a_client_waited_for_that_hung_up_never_begins(slow, png):
    body, _ = multipart(png)
    with running(slow, workers=1) as service:
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(_post, service, png)
            wait_for(lambda: slow.begun == 1)
            with service.socket() as connection:
                connection.sendall(head(len(body)) + body)
                wait_for(lambda: service.metric("convtrace_requests_in_hand") == 2)
            wait_for(lambda: service.metric("convtrace_requests_in_hand") == 1)
            slow.go.set()
            assert first.result().status_code == 200
        time.sleep(0.3)
        assert slow.begun == 1


def test_a_client_that_does_not_take_its_answer(detector):
    with running(detector, write_seconds=0.5) as service:
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", service.port))
        with connection:
            # Enough answers to fill every buffer between them, none of which is read.
            ask = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n"
            connection.settimeout(5)
            with pytest.raises(OSError):  # noqa: PT011  # reset, broken pipe or time-out
                connection.sendall(ask * 100_000)
            wait_for(lambda: len(service.server.server_state.connections) <= 1, 20)


def test_connections_are_bounded(detector):
    with running(detector, max_connections=5) as service:
        many = [service.socket() for _ in range(12)]
        time.sleep(0.5)
        assert len(service.server.server_state.connections) <= 6
        for each in many:
            each.close()
        wait_for(lambda: not service.server.server_state.connections, 20)
        with service.client() as client:
            assert client.get("/healthz").status_code == 200


def test_what_is_not_http_gets_a_problem(service):
    with service.socket() as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["status"] == 400


# ------------------------------------------------------------------ the end


def test_stopping_finishes_what_is_in_hand(slow, png):
    with running(slow, workers=1) as service, ThreadPoolExecutor(2) as pool:
        both = [pool.submit(_post, service, png) for _ in range(2)]
        wait_for(lambda: service.metric("convtrace_requests_in_hand") == 2)
        service.server.should_exit = True
        wait_for(lambda: not _answers(service))
        threading.Timer(0.3, slow.go.set).start()
        assert [each.result().status_code for each in both] == [200, 200]


def _answers(service) -> bool:
    try:
        with service.client() as client:
            client.get("/healthz")
    except httpx.TransportError:
        return False
    return True


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_the_command_stops_in_order(sent):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "convtrace", "serve", "--port", str(port)],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(lambda: _status(port) == 200)
        process.send_signal(sent)
        _, errors = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    assert process.returncode == 0
    first, *lines = errors.splitlines()
    assert f"http://127.0.0.1:{port}/" in first
    assert json.loads(lines[-1])["event"] == "stopped"
    assert "Traceback" not in errors


def _status(port: int) -> int:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).status_code
    except httpx.TransportError:
        return 0


def test_a_port_in_use_is_one_clear_line(service):
    done = subprocess.run(
        [sys.executable, "-m", "convtrace", "serve", "--port", str(service.port)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 1
    assert f"127.0.0.1:{service.port}: cannot listen there" in done.stderr
    assert "Traceback" not in done.stderr


# ------------------------------------------------------------------ the parts by themselves


def test_rate_limit_fills_again_and_forgets():
    now = 0.0
    limit = RateLimit(60, clock=lambda: now)
    assert limit.wait_of("a", 60) == 0
    assert limit.wait_of("a", 1) == pytest.approx(1)
    assert limit.wait_of("b", 1) == 0
    now = 1.0
    assert limit.wait_of("a", 1) == 0
    assert limit.wait_of("a", 1) == pytest.approx(1)
    # More than a minute's worth is let through by a full bucket, never refused for good.
    now = 100.0
    assert limit.wait_of("a", 1000) == 0
    for number in range(2 * RateLimit._MOST_CLIENTS):
        now += 1.0
        limit.wait_of(str(number), 1)
    assert len(limit._buckets) <= RateLimit._MOST_CLIENTS


def test_budget_is_given_back_whatever_happens():
    budget = Budget(10)
    with budget.account() as take:
        take(10)
        with pytest.raises(Problem), budget.account() as other:
            other(1)
        assert budget.held == 10
    assert budget.held == 0


def test_picture_of_100_files_does_not_stand_before_others(slow, png):
    slow.go.set()
    with running(slow, workers=1) as service, ThreadPoolExecutor(1) as pool:

        def many():
            with service.client() as client:
                files = [("files", (f"{n}.png", picture_bytes(n % 3))) for n in range(40)]
                return client.post("/v1/scan", files=files), time.monotonic()

        big = pool.submit(many)
        wait_for(lambda: service.metric("convtrace_requests_in_hand") == 1)
        assert _post(service, png).status_code == 200
        end = time.monotonic()
        response, big_end = big.result()
        assert response.status_code == 200
        assert end < big_end
