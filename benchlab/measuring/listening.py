"""Why an entry that runs is not reached: from the kernel's table of sockets in its container, to words."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address

Address = IPv4Address | IPv6Address

# As Linux writes that state of a socket (include/net/tcp_states.h).
LISTEN = "0A"
# Docker's own name server, which is in every container.
DOCKER_DNS = IPv4Address("127.0.0.11")


def sockets(table: str) -> tuple[tuple[Address, int], ...]:
    """Return address and port of each socket that listens, of /proc/net/tcp and tcp6; not Docker's own."""
    return tuple(dict.fromkeys((address, port) for address, port in _listening(table) if address != DOCKER_DNS))


def why_silent(table: str, port: int, patience_s: int) -> str:
    """Return why a server that runs gave no answer on `port`, to whoever waited for one for so long each time."""
    found = sockets(table)
    if not found:
        return "nothing listens in its container"
    here = [address for address, at in found if at == port]
    if any(not address.is_loopback for address in here):
        return f"it listens there, and takes longer than {patience_s} s for an answer"
    told = " and ".join(f"[{address}]:{at}" if address.version == 6 else f"{address}:{at}" for address, at in found)
    if here:
        return f"it listens on {told} only, which its container alone can reach; let it listen on 0.0.0.0"
    return f"it listens on {told}, not on port {port}; mend the one or the other"


def _listening(table: str) -> Iterator[tuple[Address, int]]:
    for line in table.splitlines():
        words = line.split()
        if len(words) > 3 and words[3] == LISTEN:
            address, _, port = words[1].partition(":")
            yield _address(address), int(port, 16)


def _address(text: str) -> Address:
    """Return the address in the kernel's hexadecimal form: words of four bytes, each the wrong way round."""
    words = (bytes.fromhex(text[begin : begin + 8])[::-1] for begin in range(0, len(text), 8))
    address = ip_address(b"".join(words))
    return (address.version == 6 and address.ipv4_mapped) or address
