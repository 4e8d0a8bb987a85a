"""Whether an address is this machine's own: a load test goes nowhere else unless told to."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from harness.errors import ConfigError


def check_loopback(base_url: str) -> None:
    """Check that the address is in 127.0.0.0/8, ::1, or localhost as this machine resolves it.

    No other name is accepted, whatever it resolves to: by the next request it may be another's.

    Raises:
        ConfigError: it is not.
    """
    host = urlsplit(base_url).hostname or ""
    if not all(_is_loopback(address) for address in _addresses(host)):
        raise ConfigError(
            f"--endpoint {base_url} is not on this machine; a load test may harm a server of "
            "others: with their consent add --allow-remote"
        )


def _addresses(host: str) -> list[str]:
    if host != "localhost":
        return [host]
    try:
        found = socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)
    except OSError:
        return [host]
    return [str(address[0]) for *_, address in found]


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
