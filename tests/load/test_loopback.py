from __future__ import annotations

import socket

import pytest

from harness.errors import ConfigError
from harness.load.loopback import check_loopback


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8000/v1", "http://127.8.9.1/v1", "http://[::1]:8000/v1"],
)
def test_addresses_of_this_machine_pass(url: str):
    check_loopback(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.org/v1",
        "http://10.0.0.1:8000/v1",
        "http://0.0.0.0:8000/v1",
        "http://128.0.0.1/v1",
        "http://127.0.0.1.example.org/v1",
        "http://localhost.example.org/v1",
        "http://2130706433/v1",
        "http://[::2]/v1",
        "http:///v1",
    ],
)
def test_all_others_need_the_flag(url: str):
    with pytest.raises(ConfigError, match="--allow-remote"):
        check_loopback(url)


@pytest.mark.parametrize(
    ("resolved", "passes"),
    [(["127.0.0.1", "::1"], True), (["127.0.0.1", "93.184.216.34"], False)],
)
def test_localhost_is_what_the_machine_says_it_is(monkeypatch, resolved: list[str], passes: bool):
    found = [(0, 0, 0, "", (address, 0)) for address in resolved]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    if passes:
        check_loopback("http://localhost:8000/v1")
    else:
        with pytest.raises(ConfigError, match="not on this machine"):
            check_loopback("http://localhost:8000/v1")


def test_localhost_that_does_not_resolve_is_refused(monkeypatch):
    def fails(*_: object, **__: object) -> None:
        raise OSError("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    with pytest.raises(ConfigError, match="not on this machine"):
        check_loopback("http://localhost:8000/v1")
