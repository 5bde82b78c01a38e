"""Who is let in, what is told of the server, and what a client that leaves does to its run."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

QUESTION = {"model": "overread", "messages": [{"role": "user", "content": "What is pneumonia?"}]}


@pytest.mark.parametrize(
    "path", ["/v1/models", "/v1/studies", "/metrics", "/", "/openapi.json", f"/page/{'0' * 32}/studies"]
)
def test_without_a_key_nobody_comes_in(api: Any, path: str) -> None:
    wrong = api.alice[:-4] + ("AAAA" if not api.alice.endswith("AAAA") else "BBBB")
    for headers in ({}, {"Authorization": f"Bearer {wrong}"}, {"Authorization": "Basic ???"}, {"Authorization": "x"}):
        answer = httpx.get(api.url + path, headers=headers, trust_env=False)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "invalid_api_key"
        assert wrong not in answer.text


def test_the_page_takes_the_key_as_a_password(api: Any) -> None:
    answer = httpx.get(api.url, auth=("any", api.alice), trust_env=False, timeout=60)
    assert answer.status_code == 200
    assert "Overread" in answer.text
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


def test_health_needs_no_key_and_metrics_count(api: Any) -> None:
    assert httpx.get(f"{api.url}/healthz", trust_env=False).json() == {"status": "ok"}
    ready = httpx.get(f"{api.url}/readyz", trust_env=False).json()
    works = dict.fromkeys(("identity", "models", "index", "rehearsal"), "ok")
    assert ready == {"ready": True, "parts": {**works, "llm": "composer"}}
    with api.client(api.alice) as client:
        client.post("/v1/chat/completions", json=QUESTION).raise_for_status()
    told = api.metrics()
    for name in ("first_event_seconds_count", "first_delta_seconds_count", 'stage_seconds_count{stage="write"}'):
        assert f"overread_{name}" in told
    assert 'overread_requests_total{method="POST",route="/v1/chat/completions",status="200"}' in told
    lines = [json.loads(line) for line in api.log.read_text().splitlines()]
    assert any(line.get("route") == "/v1/chat/completions" for line in lines)


def test_another_sites_page_and_another_host_name_are_turned_away(api: Any) -> None:
    with api.client(api.alice) as client:
        foreign = client.post("/v1/chat/completions", json=QUESTION, headers={"Origin": "https://evil.example"})
        assert foreign.status_code == 403
        assert client.get("/v1/models", headers={"Host": "evil.example"}).status_code == 400
        assert client.get("/v1/models", headers={"Origin": api.url}).status_code == 200


def test_a_client_that_leaves_cancels_its_run(api: Any) -> None:
    for stream in (True, False):
        before = _cancelled(api)
        body = {**QUESTION, "stream": stream}
        body["messages"] = [{"role": "user", "content": "What is pneumonia? " * 300}]
        with api.client(api.alice) as client:
            try:
                if stream:
                    with client.stream("POST", "/v1/chat/completions", json=body) as answer:
                        next(answer.iter_lines())
                else:
                    client.post("/v1/chat/completions", json=body, timeout=0.3)
            except httpx.ReadTimeout:
                pass
        api.wait_until("overread_runs_in_flight 0.0")
        api.wait_until("overread_requests_in_flight 0.0")
        assert _cancelled(api) == before + 1, stream


def _cancelled(api: Any) -> float:
    lines = [line for line in api.metrics().splitlines() if line.startswith('overread_runs_total{ended="cancelled"}')]
    return float(lines[0].split()[1]) if lines else 0.0


def test_beyond_loopback_nothing_is_served_without_keys(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "serve.cli", "serve", "--host", "0.0.0.0", "--port", "0"],  # noqa: S104
        capture_output=True, text=True, timeout=100, check=False,
        env={**os.environ, "OVERREAD_STATE": str(tmp_path)},
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.count("\n") == 1
    assert "overread keys add" in ended.stderr


def test_a_drop_on_the_page_belongs_to_its_key_and_is_bounded_by_the_pages_limits(api: Any) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (700, 700, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, format="PNG")
    data = buffer.getvalue()
    assert 1_000_000 < len(data) < 2_000_000  # more than another request may have
    body = json.dumps({"files": [[len(data), None]]}).encode() + b"\n" + data
    with api.client(api.alice) as alice, api.client(api.bob) as bob:
        place = f"/page/{alice.get('/page').json()['current']}/studies"
        lines = alice.post(place, content=body, headers={"Origin": api.url}).text.splitlines()
        card = json.loads(lines[-2])["card"]
        assert card["size"] == [700, 700]
        assert alice.get(f"{place}/{card['handle']}/thumbnail.png").status_code == 200
        for answer in (bob.get(place), bob.delete(f"{place}/{card['handle']}", headers={"Origin": api.url})):
            assert answer.status_code == 404
        foreign = {"Origin": "https://viewer.example", "Sec-Fetch-Site": "cross-site"}
        assert alice.delete(f"{place}/{card['handle']}", headers=foreign).status_code == 403
        assert alice.delete(f"{place}/{card['handle']}", headers={"Origin": api.url}).json()["studies"] == []
