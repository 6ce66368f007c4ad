"""A small network of its own for each entry that takes part, so that the contract's names are the same for all.

In it the entry is `tfb-server` and the database `tfb-database`. The load generator is in all of them, and asks for each
entry, or the proxy in front of it, by a name that no other has.

Networks are not equal: what the host's packet filter asks of each packet, it asks for one network after the other. So
entries change places from block to block.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, ip_network
from typing import Protocol

from benchlab.core.errors import EngineError
from benchlab.engine.endpoints import (
    CLIENT_SERVICE,
    DATABASE_HOST,
    DATABASE_SERVICE,
    ENTRY_HOST,
    Endpoints,
    Roles,
    ServingEndpoint,
)
from benchlab.records.plan import Entry

# Docker's defaults have about 30 address ranges, which the host's other projects need too. Beyond so many, all of the
# lab's networks get a part of one range.
MOST_RANGES = 8
# Sixteen addresses: gateway, entry, database, proxy and load generator take five.
PART_BITS = 28


class Networker(Protocol):
    """What is needed of an engine."""

    project: str

    def make_network(self, name: str, subnet: str | None = None) -> str: ...
    def remove_network(self, network_id: str) -> None: ...
    def subnet(self, network_id: str) -> str: ...
    def join_network(self, network_id: str, service: str, aliases: Sequence[str]) -> None: ...
    def leave_network(self, network: str, service: str) -> None: ...
    def networks_of(self, service: str) -> list[str]: ...


class NoRangeError(EngineError):
    """The engine has no address range left for a network."""


def join(engine: Networker, roles: Roles, entries: Iterable[Entry], default: str) -> None:
    """Make a network for each entry, and have all in it that takes part; `default` is the network that Compose made.

    The containers are there and do not run. Raises EngineError, also where the engine has no more networks.
    """
    entries = list(entries)
    made = make(engine, _places(engine, len(entries)))
    for entry, network_id in zip(entries, made, strict=True):
        engine.join_network(network_id, CLIENT_SERVICE, [])
        engine.join_network(network_id, DATABASE_SERVICE, [DATABASE_HOST])
        at = roles.of(entry)
        for endpoint in at.serving:
            engine.join_network(network_id, endpoint.service, _names(at, endpoint))
            # There all entries would have the same name.
            engine.leave_network(default, endpoint.service)


def change_places(engine: Networker, roles: Roles, entries: Iterable[Entry], turn: int) -> None:
    """Have each entry in another one's network, the next one at each turn: in as many turns each is in all of them.

    The entries are those that will be up together; no container of any entry runs. Where that failed half-way before,
    it is made whole. Raises EngineError.
    """
    entries = sorted(entries, key=lambda entry: entry.name)
    places = _places(engine, len(entries))
    for number, entry in enumerate(entries):
        place, at = places[(number + turn) % len(places)], roles.of(entry)
        for endpoint in at.serving:
            now = engine.networks_of(endpoint.service)
            if place not in now:
                engine.join_network(place, endpoint.service, _names(at, endpoint))
            for other in now:
                if other != place:
                    engine.leave_network(other, endpoint.service)


def _places(engine: Networker, count: int) -> list[str]:
    """Return the names of so many of the entries' networks, the first ones."""
    return [f"{engine.project}-entry-{number}" for number in range(1, count + 1)]


def _names(at: Endpoints, endpoint: ServingEndpoint) -> list[str]:
    """Return what it is called in the entry's network: the entry itself by the contract's name, too."""
    return [*([ENTRY_HOST] if endpoint is at.app else []), endpoint.address.host]


def make(engine: Networker, names: Sequence[str]) -> list[str]:
    """Make a network of each name, and return their ids. Raises NoRangeError, EngineError."""
    made: list[str] = []
    for name in names[:MOST_RANGES]:
        try:
            made.append(engine.make_network(name))
        except NoRangeError:
            if not made:
                raise
            break
    if len(made) == len(names):
        return made
    # The engine chose the last one's range: it is in nobody's way.
    cut = engine.subnet(made[-1])
    engine.remove_network(made.pop())
    left = names[len(made) :]
    parts = _parts(cut)
    if len(parts) < len(left):
        raise NoRangeError(
            f"{len(names)} entries need a network each, and the engine's address range {cut} has room for "
            f"{len(parts)}; choose fewer entries, or give the engine more in default-address-pools"
        )
    return made + [engine.make_network(name, str(part)) for name, part in zip(left, parts, strict=False)]


def _parts(subnet: str) -> list[IPv4Network]:
    whole = ip_network(subnet)
    if not isinstance(whole, IPv4Network) or whole.prefixlen > PART_BITS:
        return []
    return list(whole.subnets(new_prefix=PART_BITS))
