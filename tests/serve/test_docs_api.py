"""What docs/api.md says is true."""

import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from endcap.serve import schemas
from endcap.serve.config import ServeConfig
from endcap.serve.keys import load_keys
from endcap.serve.visitors import user_signature
from tests.serve.conftest import Open
from tests.serve.fakes import FakeEngine

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def requests() -> Iterator[list[str]]:
    """The words of each curl command."""
    text = "\n".join(blocks("sh"))
    for command in re.findall(r"^curl .*?(?=^curl |^endcap |\Z)", text, re.MULTILINE | re.DOTALL):
        yield shlex.split(command, comments=True)


@pytest.fixture
def documented(serve: Open, tmp_path: Path) -> TestClient:
    (keys,) = re.findall(r"^```\n(\[\[keys\]\].*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    path = tmp_path / "documented.toml"
    path.write_text(keys, encoding="utf-8")
    client = serve(keys=path)
    assert set(load_keys(path).public) == {"pk_shop"}
    return client


def test_every_curl_works(documented: TestClient, engine: FakeEngine) -> None:
    secret = "at-least-twenty-characters"
    done = set()
    engine.rows |= {"4711": {}, "4712": {}}
    for words in requests():
        options = dict(pairwise(words))
        (url,) = [word for word in words if word.startswith("http://localhost:8000")]
        name, _, value = options.get("-H", "X-None: ").replace("$SECRET", secret).partition(": ")
        body = b"JPEG" if "--data-binary" in options else options.get("-d", "").encode()
        method = options.get("-X", "GET")
        response = documented.request(method, url, headers={name: value}, content=body)
        assert response.status_code == 200, (words, response.text)
        done.add((method, re.sub(r"/(47\d\d|u17|no-acme)", "/{id}", url.partition("8000")[2].partition("?")[0])))
    page = documented.get("/openapi.json").json()["paths"]
    there = {(method.upper(), re.sub(r"{\w+}", "{id}", path)) for path, about in page.items() for method in about}
    assert done == there  # every route has its example


def test_the_python_signs_as_the_server_does() -> None:
    (block,) = blocks("python")
    world: dict = {}
    exec(compile(block, "docs/api.md", "exec"), world)
    assert world["user_signature"]("secret", "u1/ü") == user_signature("secret", "u1/ü")


def test_the_numbers_are_those_of_the_code() -> None:
    config = ServeConfig(Path())
    assert (config.body, config.photo, config.waiting) == (1_000_000, 10_000_000, 2_000)
    assert (config.rate, config.address_rate, config.timeout) == ("240/minute", "2400/minute", 10.0)
    assert (schemas.MOST_EVENTS, schemas.MOST_ATTRIBUTES, schemas.AHEAD, schemas.MOST_K) == (1000, 4096, 300.0, 100)
    assert config.visitor_days == 365
    for status in ("401", "403", "404", "409", "413", "422", "429", "503"):
        assert f"| {status} |" in PAGE
