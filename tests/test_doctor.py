"""`endcap doctor`: what is there, what is missing for what, whether a server is well."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import metadata
from pathlib import Path

import pytest

from endcap import doctor
from endcap.cli import main
from endcap.data.errors import InputError


class Answers(BaseHTTPRequestHandler):
    """Alive, but its database is away."""

    def do_GET(self) -> None:
        live = self.path == "/v1/health/live"
        body = {"status": "live"} if live else {"error": {"code": "unavailable", "message": "the database is away"}}
        self.send_response(200 if live else 503)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *arguments: object) -> None:
        """Says nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Answers) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()
        thread.join()


def test_each_extra_is_there_or_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    version = metadata.version

    def without(name: str) -> str:
        if name == "pyspark":
            raise metadata.PackageNotFoundError(name)
        return "0.0.1" if name == "av" else version(name)

    monkeypatch.setattr("importlib.metadata.version", without)
    found = {each.name: each for each in doctor.findings()}
    extras = set(metadata.metadata("endcap").get_all("Provides-Extra") or [])
    assert extras == set(doctor.PURPOSES)
    assert found["extra spark"].state == "absent"
    assert "pyspark; pip install 'endcap[spark]'" in found["extra spark"].text
    assert found["extra video"].state == "absent"
    assert "av 0.0.1 (expected >=" in found["extra video"].text
    assert found["endcap"].state == "well"


def test_what_the_machine_lacks_is_wrong(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("endcap.doctor.LEAST_MEMORY", 2**60)
    monkeypatch.setattr("endcap.doctor.LEAST_DISK", 2**60)
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--json"])
    assert ended.value.code == 1
    states = {each["name"]: each["state"] for each in json.loads(capsys.readouterr().out)}
    assert (states["memory"], states["disk here"], states["processor"]) == ("wrong", "wrong", "well")


def test_a_folder_that_cannot_be_written_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("endcap.doctor.cache_folder", lambda: Path("/proc/nowhere"))
    found = {each.name: each for each in doctor.findings()}["disk for descriptions that are kept"]
    assert found.state == "wrong"
    assert "nothing can be written there" in found.text


def test_a_server_is_asked_whether_it_is_well(server: str) -> None:
    live, ready = doctor.findings(f"{server}/")[-2:]
    assert (live.state, ready.state) == ("well", "wrong")
    assert live.text.startswith("live after ")
    assert ready.text == f"{server}/v1/health/ready answers 503: the database is away"


def test_nobody_answers_or_the_address_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    found = doctor.findings("http://127.0.0.1:9")[-1]
    assert found.state == "wrong"
    assert "is it running" in found.text
    for address in ("localhost:8000", "ftp://shop", "", "http://"):
        with pytest.raises(InputError, match="expected an address"):
            doctor.findings(address)
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--server", "shop"])
    assert ended.value.code == 2
    assert "expected an address such as" in capsys.readouterr().err
