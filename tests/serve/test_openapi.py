"""The page at /docs, and a machine that reads it and tries everything."""

import re
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from endcap.serve.app import create_app
from endcap.serve.config import ServeConfig
from tests.serve.conftest import SECRET, bearer
from tests.serve.fakes import FakeEngine

ROUTES = {
    "GET": ["/metrics", "/v1/health/live", "/v1/health/ready", "/v1/items/{item_id}",
            "/v1/items/{item_id}/similar", "/v1/models", "/v1/rules", "/v1/rules/{rule_id}",
            "/v1/suggest", "/v1/users/{user_id}"],
    "POST": ["/v1/events", "/v1/items", "/v1/pages", "/v1/recommendations", "/v1/search", "/v1/visitors"],
    "PUT": ["/v1/items/{item_id}", "/v1/items/{item_id}/photo", "/v1/models", "/v1/rules/{rule_id}"],
    "DELETE": ["/v1/items/{item_id}", "/v1/rules/{rule_id}", "/v1/users/{user_id}"],
}  # fmt: skip


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_nothing_that_can_be_sent_breaks_the_server(keys: Path, tmp_path: Path, mode: GenerationMode) -> None:
    app = create_app(FakeEngine(), ServeConfig(out=tmp_path / "shop", keys=keys))
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    tried: dict[int, int] = {}
    for result in schema.get_all_operations():
        operation = result.ok()
        if not (operation.path_parameters or operation.query or operation.body):
            continue  # nothing to be sent

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(max_examples=4, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        def attempt(case: Case) -> None:
            response = case.call(headers=bearer(SECRET))
            tried[response.status_code] = tried.get(response.status_code, 0) + 1
            conformance = [content_type_conformance, response_schema_conformance, status_code_conformance]
            case.validate_response(response, checks=[not_a_server_error, *conformance])

        attempt()
    assert tried[200] > 5
    assert tried[422] > 5
    assert max(tried) < 500


def test_every_route_is_there_with_its_keys(client: TestClient) -> None:
    page = client.get("/openapi.json").json()
    found = {
        method: sorted(path for path, about in page["paths"].items() if method.lower() in about) for method in ROUTES
    }
    assert found == ROUTES
    assert set(page["components"]["securitySchemes"]) == {"secret", "secret_header", "public"}
    public = [
        path for path, about in page["paths"].items() for each in about.values() if {"public": []} in each["security"]
    ]
    assert sorted(public) == [
        "/v1/events",
        "/v1/items/{item_id}/similar",
        "/v1/pages",
        "/v1/recommendations",
        "/v1/search",
        "/v1/suggest",
        "/v1/visitors",
    ]
    assert not page["paths"]["/v1/health/live"]["get"]["security"]


def test_operations_are_called_as_what_they_do(client: TestClient) -> None:
    page = client.get("/openapi.json").json()
    names = [each["operationId"] for methods in page["paths"].values() for each in methods.values()]
    assert len(set(names)) == len(names)
    assert {"recommend", "record_events", "get_item", "put_item", "delete_item", "list_rules", "put_rule"} <= {*names}
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) and "v1" not in name for name in names)


def test_every_reference_leads_somewhere(client: TestClient) -> None:
    text = client.get("/openapi.json").text
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    for name in re.findall(r'"\$ref":"([^"]+)"', text):
        assert name.removeprefix("#/components/schemas/") in schemas


def test_examples_are_accepted(client: TestClient) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    for name, method, path in [
        ("EventBody", "POST", "/v1/events"),
        ("AskBody", "POST", "/v1/recommendations"),
        ("PageBody", "POST", "/v1/pages"),
        ("SearchBody", "POST", "/v1/search"),
        ("ItemBody", "PUT", "/v1/items/tea"),
    ]:
        assert schemas[name]["examples"]
        for example in schemas[name]["examples"]:
            assert client.request(method, path, json=example).status_code == 200


def test_the_page_comes_from_this_server_alone(client: TestClient) -> None:
    response = client.get("/docs")
    assert response.headers["Content-Type"].startswith("text/html")
    for address in re.findall(r'(?:src|href)="([^"]+)"', response.text):
        assert client.get(address).status_code == 200
    assert "https://" not in response.text
    policy = response.headers["Content-Security-Policy"]
    assert "'sha256-" in policy
    assert "script-src 'self' 'sha256" in policy


def test_answers_carry_safe_headers(client: TestClient) -> None:
    for path in ("/v1/models", "/nothing", "/v1/users/u1"):
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert headers["Cache-Control"] == "no-store"
