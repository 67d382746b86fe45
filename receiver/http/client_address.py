"""The client's address: the connection's, or what a proxy we trust says it is."""

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from flask import Request

# Some proxies write a port behind an address, brackets around an IPv6 one, quotes around both.
_WITH_PORT = re.compile(r"\[([^\]]*)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}")


Address = IPv4Address | IPv6Address
Networks = Sequence[IPv4Network | IPv6Network]

# How the names begin of what proxies say of themselves and of the client: who comes through one is
# not on this machine.
_OF_PROXIES = (
    "forwarded",
    "via",
    "x-forwarded-",
    "x-real-ip",
    "x-client-ip",
    "x-envoy-",
    "true-client-ip",
    "cf-",
)

_OF_A_CLIENT = 64  # bits of an IPv6 address; each client has all the others to choose from


def client_address(request: Request, trusted: Networks | None) -> str | None:
    """Return the address a request came from.

    X-Forwarded-For is read from its end, where our own proxy wrote, for as long as the one
    who wrote is trusted: what stands before that, anybody may have made up. Where nothing stands
    between commas is no hop, as in every list of HTTP's.

    Args:
        request: the request.
        trusted: networks of the proxies that are believed.

    Returns:
        An address, or None if the last one trusted did not name one.
    """
    address = _client(request, trusted)
    return str(address) if address else None


def counted_address(request: Request, trusted: Networks | None) -> str | None:
    """Return what a client is counted by: its address, and of an IPv6 one the network.

    Args:
        request: the request.
        trusted: as in `client_address`.
    """
    address = _client(request, trusted)
    if isinstance(address, IPv6Address):
        return str(ip_network((address, _OF_A_CLIENT), strict=False))
    return str(address) if address else None


def _client(request: Request, trusted: Networks | None) -> Address | None:
    address = _parsed(request.remote_addr or "")
    if not trusted:
        return address
    hops = [hop for hop in request.headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
    while address and hops and any(address in network for network in trusted):
        address = _parsed(hops.pop())
    return address


@lru_cache(4096)
def _parsed(text: str) -> Address | None:
    """Read one address; a listening socket for both kinds writes IPv4 as a part of IPv6."""
    text = text.strip().strip('"')
    if found := _WITH_PORT.fullmatch(text):
        text = found[1] or found[2]
    text = text.partition("%")[0]  # the zone says something on the proxy alone
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_on_this_machine(request: Request) -> bool:
    """Say whether the client and the address it asked are here, with no proxy in between."""
    try:
        asked = urlsplit(request.host_url).hostname
    except ValueError:  # what stands in the header is no address
        return False
    is_forwarded = any(name.lower().startswith(_OF_PROXIES) for name, _ in request.headers)
    return not is_forwarded and is_loopback(request.remote_addr) and is_loopback(asked)


def is_loopback(host: str | None) -> bool:
    """Say whether an address, or a name, is of this machine alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False
