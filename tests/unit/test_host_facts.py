from __future__ import annotations

import pytest

from benchlab.host import facts


@pytest.mark.parametrize(
    ("remote", "told"),
    [
        ("https://example.org/owner/lab.git", "https://example.org/owner/lab.git"),
        ("https://name:secret@example.org:8443/owner/lab.git?key=1", "https://example.org:8443/owner/lab.git"),
        ("ssh://git@example.org/owner/lab.git", "ssh://example.org/owner/lab.git"),
        ("git@example.org:owner/lab.git", "git@example.org:owner/lab.git"),
        ("/home/me/lab", "unavailable"),
        ("file:///home/me/lab", "unavailable"),
        ("../lab", "unavailable"),
        ("unavailable", "unavailable"),
    ],
)
def test_a_repository_s_address_is_told_without_secrets_and_a_local_folder_not_at_all(remote: str, told: str) -> None:
    assert facts.repository(remote) == told
