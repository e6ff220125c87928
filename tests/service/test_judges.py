"""The processes that judge: what becomes of a picture at which one crashes, hangs or fails."""

from __future__ import annotations

import os
import pickle
import signal
import time

import pytest

from convtrace.service import Settings
from convtrace.service.judges import Ended, Fault, Job, Judges
from service_support import SECONDS, multipart, problem, running, wait_for


def double(_detector, number, _settings):
    return 2 * number


def who(_detector, _settings):
    return os.getpid()


def crash(_detector, _settings):
    os.kill(os.getpid(), signal.SIGSEGV)


def crash_once(_detector, path, _settings):
    if not os.path.exists(path):  # noqa: PTH110
        open(path, "w").close()  # noqa: PTH123
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"


def hang(_detector, _settings):
    time.sleep(SECONDS)


def fail(_detector, _settings):
    raise ValueError("secret words of an upload")


class Quick:
    """Judges nothing; it can be sent to a process at once."""

    def __init__(self, detector=None):
        self.card_ = None if detector is None else detector.card_

    def verdict(self, source):
        name = getattr(source, "name", "")
        if "crash" in name:
            os.kill(os.getpid(), signal.SIGSEGV)
        if "hang" in name:
            time.sleep(SECONDS)
        if "fail" in name:
            raise RuntimeError("secret words")
        from convtrace.detection import Verdict

        return Verdict(name, "real", 0.1, None, ("because",))


@pytest.fixture(scope="module")
def judges():
    found = Judges(Quick(), Settings(workers=2))
    found.start()
    found.start_others()
    yield found
    found.close()


def test_jobs_are_done_in_other_processes(judges):
    assert judges.do(Job(double, (21,))) == 42
    assert judges.do(Job(who)) != os.getpid()
    assert judges.resident_bytes() > 1e6


def test_a_crash_costs_its_job_and_no_other(judges):
    with pytest.raises(Ended):
        judges.do(Job(crash))
    assert [judges.do(Job(double, (n,))) for n in range(6)] == [0, 2, 4, 6, 8, 10]


def test_a_process_that_was_killed_once_is_no_fault_of_the_job(judges, tmp_path):
    assert judges.do(Job(crash_once, (str(tmp_path / "been here"),))) == "done"


def test_what_hangs_is_stopped_and_not_tried_again(judges):
    from threading import Timer

    job = Job(hang)
    Timer(0.5, job.stop).start()
    start = time.monotonic()
    with pytest.raises(Ended):
        judges.do(job)
    assert time.monotonic() - start < SECONDS / 2
    assert judges.do(Job(double, (1,))) == 2


def test_a_fault_tells_its_place_and_not_its_words(judges):
    with pytest.raises(Fault) as caught:
        judges.do(Job(fail))
    assert "ValueError" in caught.value.where
    assert "test_judges.py" in caught.value.where
    assert "secret" not in caught.value.where


def test_the_token_is_not_sent_to_them():
    settings = Settings(workers=1, token="s3cret")  # noqa: S106
    made = Judges(Quick(), settings)
    assert b"s3cret" not in made._first
    function, _ = pickle.loads(made._first)  # noqa: S301
    assert function.args[1].token is None


def test_after_the_end_nothing_is_started():
    closed = Judges(Quick(), Settings(workers=1))
    closed.close()
    with pytest.raises(Ended):
        closed.start()
    with pytest.raises(Ended):
        closed.do(Job(who))


def _post(service, png, name):
    with service.client() as client:
        return client.post("/v1/scan", files={"files": (name, png)})


def test_the_service_survives_a_decoder_that_crashes(detector, png, capfd):
    with running(Quick(detector), isolated=True, workers=1) as service:
        found = problem(_post(service, png, "crash.png"))
        assert found["status"] == 422
        assert "crash.png: reading it crashed" in found["detail"]
        assert _post(service, png, "fine.png").json()[0]["label"] == "real"
        with service.client() as client:
            both = [("files", ("crash.png", png)), ("files", ("fine.png", png))]
            first, second = client.post("/v1/scan", files=both).json()
        assert (first["label"], second["label"]) == (None, "real")
        logged = capfd.readouterr().err
        assert '"event": "process ended", "code": -11' in logged
        assert "crash.png" not in logged
        assert service.metric("convtrace_held_bytes") == 0


def test_a_fault_is_a_500_with_its_place_in_the_log(detector, png, capfd):
    with running(Quick(detector), isolated=True, workers=1) as service:
        assert problem(_post(service, png, "fail.png"))["status"] == 500
        assert _post(service, png, "fine.png").status_code == 200
    logged = capfd.readouterr().err
    assert '"where": "unexpected RuntimeError' in logged
    assert "secret" not in logged


def test_a_picture_that_hangs_keeps_no_place(detector, png, monkeypatch):
    monkeypatch.setattr("convtrace.service.workroom._GRACE_SECONDS", 0.5)
    with running(Quick(detector), isolated=True, workers=1, request_seconds=1.0) as service:
        assert problem(_post(service, png, "hang.png"))["status"] == 503
        wait_for(lambda: _post(service, png, "fine.png").status_code == 200)


def test_the_end_of_the_service_is_the_end_of_its_processes(detector, png):
    others = _children()
    with running(Quick(detector), isolated=True, workers=2) as service:
        assert _post(service, png, "fine.png").status_code == 200
        wait_for(lambda: len(_children() - others) == 2)
        mine = _children() - others
    wait_for(lambda: not mine & _children())


def _children() -> set[int]:
    found = set()
    for name in os.listdir("/proc"):  # noqa: PTH208
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat") as stream:  # noqa: PTH123
                words = stream.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(words[1]) == os.getpid():
            found.add(int(name))
    return found


def test_a_client_that_hangs_up_costs_no_process(detector, png):
    body, _ = multipart(png, name="fine.png")
    with running(Quick(detector), isolated=True, workers=1) as service:
        for _ in range(5):
            with service.socket() as connection:
                connection.sendall(body[:10])
        assert _post(service, png, "fine.png").status_code == 200
