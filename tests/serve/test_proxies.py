"""Proxy variables, held against what httpx makes of them."""

from __future__ import annotations

import os

import pytest

from fer_cbam.serve.proxies import proxies_aside

httpx = pytest.importorskip("httpx")

PROXIES = {
    "HTTP_PROXY": "http://127.0.0.1:9",
    "https_proxy": "http://127.0.0.1:9",
    "ALL_PROXY": "socks5://127.0.0.1:9",
    "all_proxy": "socks://127.0.0.1:9",
}


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def proxied(url: str) -> bool:
    with httpx.Client() as client:
        return client._transport_for_url(httpx.URL(url)) is not client._transport


@pytest.mark.parametrize("name", PROXIES)
def test_no_proxy_is_asked_inside(monkeypatch, name):
    monkeypatch.setenv(name, PROXIES[name])
    with proxies_aside():
        assert not proxied("http://127.0.0.1:7860/") and not proxied("https://example.com/")
    assert "NO_PROXY" not in os.environ and "no_proxy" not in os.environ
    assert os.environ[name] == PROXIES[name]
    if name == "HTTP_PROXY":
        assert proxied("http://127.0.0.1:7860/")


def test_with_hosts_the_others_are_asked_as_before(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", PROXIES["HTTP_PROXY"])
    monkeypatch.setenv("NO_PROXY", "intern.example")
    with proxies_aside("localhost", "127.0.0.1"):
        assert not proxied("http://127.0.0.1:7860/") and not proxied("http://intern.example/")
        assert proxied("http://example.com/")
    assert os.environ["NO_PROXY"] == "intern.example" and "no_proxy" not in os.environ


def test_they_are_put_back_after_an_error():
    with pytest.raises(ValueError, match="inside"), proxies_aside():
        raise ValueError("inside")
    assert "NO_PROXY" not in os.environ and "no_proxy" not in os.environ
