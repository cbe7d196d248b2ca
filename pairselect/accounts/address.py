"""Where a request comes from, as far as that can be known."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
NETWORK_OF_ONE = 64  # bits that a provider gives whole to one customer of IPv6


def client_address(request: HttpRequest) -> str | None:
    """The client's address; of an IPv6 address its network, all of which is one customer's.

    ``X-Forwarded-For`` is believed of trusted proxies alone, and read from its end, where the
    nearest proxy wrote: whatever a client sends itself stands before that.
    """
    hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    found: Address | None = None
    for hop in (request.META.get("REMOTE_ADDR", ""), *reversed(hops)):
        address = _parse(hop)
        if address is None:
            break
        found = address
        if not _is_trusted(address):
            break
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, NETWORK_OF_ONE), strict=False).network_address)
    return None if found is None else str(found)


def _parse(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def _is_trusted(address: Address) -> bool:
    trusted: list[str] = settings.TRUSTED_PROXIES
    return any(address in ipaddress.ip_network(one) for one in trusted)
