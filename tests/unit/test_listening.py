"""What the kernel tells of a container's sockets, in tables as it prints them."""

from __future__ import annotations

import pytest

from benchlab.run import diagnosis

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
REST = "00000000:00000000 00:00000000 00000000     0        0 1234 1 0000000000000000 100 0 0 10 0"
# Docker's name server; and a connection, which does not listen.
ALWAYS = f"""\
   0: 0B00007F:9C3F 00000000:0000 0A {REST}
   1: 020012AC:8124 030012AC:1538 01 {REST}
"""
ANY6, LOOPBACK6 = "0" * 32, "0" * 24 + "01000000"
MAPPED6 = "0" * 16 + "FFFF0000" + "0100007F"


def _table(*addresses: str) -> str:
    rows = (f"   {number}: {address} 00000000:0000 0A {REST}\n" for number, address in enumerate(addresses, 2))
    return HEAD + ALWAYS + "".join(rows) + HEAD


@pytest.mark.parametrize(
    ("addresses", "told"),
    [
        ((), "nothing listens in its container"),
        (("00000000:1F90",), "it listens there, and takes longer than 2 s for an answer"),
        ((f"{ANY6}:1F90",), "it listens there, and takes longer than 2 s for an answer"),
        (("0100007F:1F90", "020012AC:1F90"), "it listens there, and takes longer than 2 s for an answer"),
        (
            ("0100007F:1F90", "0100007F:1F90"),
            "it listens on 127.0.0.1:8080 only, which its container alone can reach; let it listen on 0.0.0.0",
        ),
        (
            (f"{LOOPBACK6}:1F90",),
            "it listens on [::1]:8080 only, which its container alone can reach; let it listen on 0.0.0.0",
        ),
        (
            (f"{MAPPED6}:1F90",),
            "it listens on 127.0.0.1:8080 only, which its container alone can reach; let it listen on 0.0.0.0",
        ),
        (
            ("00000000:2328", f"{ANY6}:0050"),
            "it listens on 0.0.0.0:9000 and [::]:80, not on port 8080; mend the one or the other",
        ),
    ],
)
def test_why_a_server_is_not_reached_follows_from_where_it_listens(addresses: tuple[str, ...], told: str) -> None:
    assert diagnosis.why_silent(_table(*addresses), 8080, 2) == told
