"""The container and compose files, by what they say; a machine of tests rarely runs containers."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from convtrace.cli.app import app
from convtrace.service import Settings

ROOT = Path(__file__).resolve().parents[2]
CONTAINERFILE = ROOT / "Containerfile"
yaml = pytest.importorskip("yaml", reason="PyYAML is not installed; schemathesis brings it")
pytestmark = pytest.mark.skipif(not CONTAINERFILE.exists(), reason="there is no checkout")


def instructions() -> list[tuple[str, str]]:
    """Return the instructions, continued lines joined."""
    text = CONTAINERFILE.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    whole = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines)).splitlines()
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in whole]


def of(kind: str) -> list[str]:
    return [rest for name, rest in instructions() if name == kind]


@pytest.fixture(scope="module")
def compose() -> dict:
    found = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    return found["services"]["convtrace"]


def test_it_installs_by_the_commands_of_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^(pip install .*? && convtrace demo)\b", readme, re.MULTILINE)
    install, demo = command.split(" && ")
    assert f"cd /src && {install}" in of("RUN")
    assert demo in of("RUN")


def test_the_checkout_stays_in_the_stage_that_installs_it():
    named, last = of("FROM")
    image, _, stage = named.partition(" AS ")
    # A virtual environment works at its own path, with the Python that made it.
    assert last == image
    assert of("RUN")[0] == "python -m venv /opt/convtrace"
    assert of("COPY") == [". /src", f"--from={stage} /opt/convtrace /opt/convtrace"]
    (path,) = [one for one in of("ENV") if one.startswith("PATH=")]
    assert path == "PATH=/opt/convtrace/bin:$PATH"


def test_it_runs_as_nobody_special_and_so_does_its_demo():
    names = [name for name, _ in instructions()]
    assert of("USER") == ["convtrace"]
    after = instructions()[names.index("USER") :]
    assert ("RUN", "convtrace demo") in after
    (made,) = [one for one in of("RUN") if "useradd" in one]
    assert "--uid 10001" in made


def _served(command: list[str]) -> Settings:
    """Return the settings by which the command would serve."""
    from unittest.mock import patch

    assert command[0] == "convtrace"
    with (
        patch("convtrace.service.serve", return_value=True) as serve,
        patch("convtrace.cli.serve.load_detector"),
    ):
        done = CliRunner().invoke(app, command[1:])
    assert done.exit_code == 0, done.output
    return serve.call_args.args[1]


def test_its_command_serves_and_its_health_check_asks_there(compose):
    (command,) = of("CMD")
    (health,) = of("HEALTHCHECK")
    words = [word.replace("${CONVTRACE_WORKERS:-2}", "2") for word in compose["command"]]
    for settings in (_served(json.loads(command)), _served(words)):
        assert settings.host == "0.0.0.0"  # noqa: S104, inside the container
        # Names that a browser on the same machine uses, and no other site's.
        assert settings.answered_hosts == {"localhost", "127.0.0.1"}
        assert f"http://127.0.0.1:{settings.port}/readyz" in health
        assert of("EXPOSE") == [str(settings.port)]


def test_compose_has_the_same_health_check(compose):
    # Images in the format of the Open Container Initiative cannot hold the Containerfile's.
    (health,) = of("HEALTHCHECK")
    options, command = health.split(" CMD ")
    found = dict(word.removeprefix("--").split("=") for word in options.split())
    expected = {name.replace("-", "_"): value for name, value in found.items()}
    asked = {name: str(value) for name, value in compose["healthcheck"].items() if name != "test"}
    assert asked == expected
    assert compose["healthcheck"]["test"] == ["CMD", *json.loads(command)]


def test_compose_shuts_it_in(compose):
    assert compose["read_only"] is True
    assert compose["user"] == "10001"
    assert compose["cap_drop"] == ["ALL"]
    assert compose["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in compose["ports"])
    assert "privileged" not in compose
    assert "network_mode" not in compose
    # Nothing of this machine is in it but a volume for compiled code, and memory for /tmp.
    assert compose["volumes"] == ["cache:/var/cache/convtrace"]
    assert [one.split(":")[0] for one in compose["tmpfs"]] == ["/tmp"]  # noqa: S108
    assert compose["mem_limit"]
    assert compose["pids_limit"]


def test_compose_waits_longer_than_the_service_takes_to_finish(compose):
    seconds = float(compose["stop_grace_period"].removesuffix("s"))
    assert seconds > Settings().shutdown_seconds


def test_every_folder_that_is_written_is_one_that_may_be():
    (environment, *_) = [one for one in of("ENV") if "NUMBA_CACHE_DIR" in one]
    folders = dict(word.split("=", 1) for word in shlex.split(environment))
    writable = ("/var/cache/convtrace", "/tmp")  # noqa: S108
    for name in ("NUMBA_CACHE_DIR", "MPLCONFIGDIR"):
        assert folders[name].startswith(writable)
    assert "/var/cache/convtrace" in of("VOLUME")


def test_what_is_copied_holds_no_history_and_no_environment():
    for name in (".containerignore", ".dockerignore"):
        ignored = (ROOT / name).read_text(encoding="utf-8").splitlines()
        assert {".git", ".venv", ".env", "out", "docs", "tests"} <= set(ignored)
        # What a wheel is built of.
        assert not {"src", "examples", "pyproject.toml", "README.md", "LICENSE"} & set(ignored)
