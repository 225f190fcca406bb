"""What Prometheus reads."""

from starlette.testclient import TestClient


def numbers(client: TestClient) -> dict[str, float]:
    lines = [line for line in client.get("/metrics").text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_requests_are_counted_by_route(client: TestClient) -> None:
    for n in range(3):
        client.put(f"/v1/items/{n}", json={})
    client.post("/v1/events", json=[{"user_id": "u1", "item_id": "tea", "kind": "view", "event_id": "e"}] * 2)
    client.post("/v1/recommendations", json={"k": 0})
    client.get("/nothing/1")
    client.request("BREW", "/nothing/2")
    found = numbers(client)
    route = 'endcap_requests_total{{method="{}",route="{}",status="{}"}}'
    assert found[route.format("PUT", "/v1/items/{item_id:path}", 200)] == 3
    assert found[route.format("POST", "/v1/recommendations", 422)] == 1
    assert found[route.format("GET", "other", 404)] == 1
    assert found[route.format("other", "other", 404)] == 1
    assert found['endcap_request_seconds_count{route="/v1/events"}'] == 1
    assert found['endcap_events_total{result="accepted"}'] == 1
    assert found['endcap_events_total{result="duplicate"}'] == 1
    assert found['endcap_batch_size_count{call="record"}'] == 1


def test_what_the_engine_says(client: TestClient) -> None:
    client.delete("/v1/items/tea")
    found = numbers(client)
    assert found["endcap_items"] == 2
    assert found['endcap_model{role="live",version="first"}'] == 1
    assert found['endcap_revision{of="items"}'] == 1
