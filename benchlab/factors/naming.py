"""What the variants of an entry are called: behind a proxy, with another pool, at a commit."""

from __future__ import annotations

from benchlab.records.plan import Settings

# What stands between an entry's name and what its variant has instead.
VIA, POOL, AT = "-via-", "-pool-", "-at-"
# So much of a commit's number stands in a name.
SHORT = 7


def behind(entry: str, proxy: str) -> str:
    return f"{entry}{VIA}{proxy}"


def with_connections(entry: str, total: int) -> str:
    return f"{entry}{POOL}{total}"


def at(entry: str, commit: str) -> str:
    return f"{entry}{AT}{commit[:SHORT]}"


def originals(settings: Settings) -> list[str]:
    """Return the settings' entries without the variants that they ask for themselves, as those of a run do."""
    endings = (
        *(behind("", proxy) for proxy in settings.proxies[1:]),
        *(with_connections("", total) for total in settings.db_connections[1:]),
        *([at("", settings.against)] if settings.against else []),
    )
    return [name for name in settings.frameworks if not name.endswith(endings)]
