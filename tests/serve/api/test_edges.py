"""What clients do that no library does: slow bodies, huge headers, other methods, strange JSON, proxies, stops."""

import contextlib
import json
import socket
import time
from typing import Any

import httpx
import pytest

ASKED = {"model": "overread", "messages": [{"role": "user", "content": "How is a pneumothorax confirmed?"}]}


def raw(api: Any, head: str, body: bytes = b"") -> bytes:
    """Send bytes, and read until the server hangs up."""
    address = httpx.URL(api.url)
    with socket.create_connection((address.host, address.port or 80), timeout=30) as made:
        told = b""
        # A server that hangs up while it is still being sent something resets the connection.
        with contextlib.suppress(ConnectionError):
            made.sendall(head.replace("\n", "\r\n").encode() + body)
            while part := made.recv(65536):
                told += part
    return told


def head(api: Any, length: int, more: str = "") -> str:
    return (
        f"POST /v1/chat/completions HTTP/1.1\nHost: 127.0.0.1\nAuthorization: Bearer {api.alice}\n"
        f"Content-Type: application/json\nContent-Length: {length}\n{more}\n"
    )


def test_a_body_that_does_not_come_is_answered_and_the_connection_cut(api: Any) -> None:
    told = raw(api, head(api, 1000), b'{"model"')
    assert told.startswith(b"HTTP/1.1 408")
    assert b'"code":"timeout"' in told


def test_a_header_that_does_not_come_is_cut_and_one_too_large_refused(api: Any) -> None:
    begun = time.monotonic()
    assert raw(api, "GET /healthz HTTP/1.1\nHost: 127") == b""
    assert time.monotonic() - begun >= 2.5
    endless = raw(api, "GET /healthz HTTP/1.1\nHost: 127.0.0.1\n" + "X-Long: " + "x" * 200_000)
    assert endless == b"" or endless.startswith(b"HTTP/1.1 431")
    assert httpx.get(f"{api.url}/healthz", trust_env=False).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b'{"messages":' + b"[" * 100_000,
        b'{"overread":' * 5_000 + b"{}" + b"}" * 5_000,
        b'{"messages":[{"role":"user","content":"x"}],"stop":' + b"[" * 400 + b"]" * 400 + b"}",
        b'{"messages":[{"role":"user","content":"\xff\xfe"}]}',
        b'{"n":"1","messages":[{"role":"user","content":"What is pneumonia?"}]}',
        b'{"n":0,"messages":[{"role":"user","content":"What is pneumonia?"}]}',
        b'{"n":1e99,"messages":[{"role":"user","content":"What is pneumonia?"}]}',
        b'{"messages":[{"role":"user","content":"x","tool_calls":[1]}]}',
        b"null",
        b"[]",
    ],
)
def test_strange_json_is_the_callers_fault(api: Any, body: bytes) -> None:
    with api.client(api.alice) as http:
        answer = http.post("/v1/chat/completions", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"].keys() == {"message", "type", "param", "code"}


def test_of_a_key_that_comes_twice_the_last_counts(api: Any) -> None:
    body = b'{"n":2,"n":1,"messages":[{"role":"user","content":"What is pneumonia?"}]}'
    with api.client(api.alice) as http:
        answer = http.post("/v1/chat/completions", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200


def test_other_methods_are_told_which_there_are(api: Any) -> None:
    with api.client(api.alice) as http:
        for path, allow in (("/v1/models", "GET"), ("/v1/studies", "GET, POST"), ("/metrics", "GET")):
            for method in ("PUT", "PATCH", "OPTIONS"):
                answer = http.request(method, path)
                assert (answer.status_code, answer.headers["Allow"]) == (405, allow)
                assert answer.json()["error"]["code"] == "method_not_allowed"
        for path in ("/healthz", "/readyz"):
            answer = http.head(path)
            assert (answer.status_code, answer.content) == (200, b"")
        assert http.get("/v1/chat/completions").status_code == 405
        assert http.get("/v1/no/such/route").json()["error"]["code"] == "not_found"


def test_pages_of_allowed_origins_may_call_and_others_may_not(api: Any) -> None:
    with api.client(api.alice) as http:
        asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
        path = "/v1/chat/completions"
        before = httpx.options(
            api.url + path, headers={"Origin": "https://viewer.example", **asks}, trust_env=False
        )  # no key: a browser sends none yet
        assert before.status_code == 200
        assert before.headers["Access-Control-Allow-Origin"] == "https://viewer.example"
        allowed = http.post(path, json=ASKED, headers={"Origin": "https://viewer.example"})
        assert allowed.headers["Access-Control-Allow-Origin"] == "https://viewer.example"
        other = httpx.options(api.url + path, headers={"Origin": "https://evil.example", **asks}, trust_env=False)
        assert "Access-Control-Allow-Origin" not in other.headers
        assert http.post(path, json=ASKED, headers={"Origin": "null"}).status_code == 403


def test_behind_a_trusted_proxy_the_origin_is_the_one_of_the_browser(api: Any) -> None:
    with api.client(api.alice) as http:
        own = {"Host": "reader.example", "Origin": "https://reader.example"}
        through = http.post("/v1/chat/completions", json=ASKED, headers={**own, "X-Forwarded-Proto": "https"})
        plain = http.post("/v1/chat/completions", json=ASKED, headers=own)
    assert (through.status_code, plain.status_code) == (200, 403)


def test_a_stop_over_several_pieces_ends_the_stream(api: Any) -> None:
    with api.client(api.alice) as http:
        whole = http.post("/v1/chat/completions", json=ASKED).json()["choices"][0]["message"]["content"]
        stop = whole[10:110]
        with http.stream("POST", "/v1/chat/completions", json={**ASKED, "stream": True, "stop": [stop]}) as answer:
            lines = [line for line in answer.iter_lines() if line.startswith("data: {")]
    told = "".join(json.loads(line[6:])["choices"][0]["delta"].get("content") or "" for line in lines)
    assert told == whole[:10]
