from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchlab.core.errors import StoreError, UsageError
from benchlab.records.facts import Facts
from benchlab.records.plan import Manifest
from benchlab.run import pinned

CRAX = {"mem_limit": "1g", "environment": {"A": "1"}}


def test_a_run_goes_on_where_nothing_changed_but_the_facts(manifest: Manifest) -> None:
    pinned.refuse(manifest, replace(manifest, run_id="another", facts=Facts.of({"engine_version": "28.0"})))
    pinned.refuse_other_sources(manifest, manifest.sources)


def test_another_version_of_the_lab_does_not_go_on_with_a_run(manifest: Manifest) -> None:
    begun = replace(manifest, facts=Facts.of({"lab_version": "0.1.0", "analysis": {"significance": 0.05}}))
    pinned.refuse_other_version(begun, "0.1.0", {"significance": 0.05})
    with pytest.raises(StoreError, match="the limits of the lab's rules or tests have changed"):
        pinned.refuse_other_version(begun, "0.1.0", {"significance": 0.1})
    with pytest.raises(StoreError, match=r"benchlab 0\.1\.0 began it, and this is 0\.2\.0; use that one"):
        pinned.refuse_other_version(begun, "0.2.0", {"significance": 0.05})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"images": {"aiohttp": "sha256:a", "crax": "sha256:new"}}, "image of crax was sha256:c, is sha256:new"),
        ({"cpus": 4}, "number of CPUs was 2, is 4"),
        ({"services": {"aiohttp": {}, "crax": CRAX | {"mem_limit": "2g"}}}, "crax's mem_limit was 1g, is 2g"),
        ({"services": {"aiohttp": {}, "crax": {"environment": {"A": "1"}}}}, "crax's mem_limit was 1g, is absent"),
        (
            {"services": {"aiohttp": {}, "crax": CRAX | {"environment": {"A": "2"}}}},
            "crax's environment A was 1, is 2",
        ),
        (
            {"services": {"aiohttp": {"init": True}, "crax": CRAX}, "cpus": 1},
            "aiohttp's init was absent, is True; number of CPUs was 2, is 1",
        ),
    ],
)
def test_what_changed_is_refused_by_name_with_both_values(
    manifest: Manifest, change: dict[str, Any], told: str
) -> None:
    with pytest.raises(StoreError) as error:
        pinned.refuse(manifest, replace(manifest, **change))
    assert str(error.value) == (f"20261123-120000-quick cannot be resumed: {told}; restore that, or start a new run")


@pytest.mark.parametrize(("proxy", "refused"), [("none", False), ("nginx", True), ("none,nginx", True)])
def test_a_proxy_matters_only_to_a_run_through_it(manifest: Manifest, proxy: str, refused: bool) -> None:
    settings = replace(manifest.settings, proxy=proxy)
    before, after = (
        replace(
            manifest,
            settings=settings,
            images=manifest.images | {"nginx": image},
            services=manifest.services | {"nginx": {}},
        )
        for image in ("sha256:n", "sha256:new")
    )
    assert pinned.taking_part(["db", "nginx", "crax"], settings.proxies) == (
        ["db", "nginx", "crax"] if refused else ["db", "crax"]
    )
    if refused:
        with pytest.raises(StoreError, match="image of nginx was sha256:n, is sha256:new"):
            pinned.refuse(before, after)
    else:
        pinned.refuse(before, after)


@pytest.mark.parametrize(
    ("sources", "named"), [({"base": "b", "crax": "new"}, "crax"), ({"base": "new"}, "base, crax")]
)
def test_changed_files_are_refused_by_the_names_of_their_services(
    manifest: Manifest, sources: dict[str, str], named: str
) -> None:
    with pytest.raises(StoreError) as error:
        pinned.refuse_other_sources(manifest, sources)
    assert str(error.value) == (
        f"20261123-120000-quick cannot be resumed: files or build settings of {named} have changed since the run "
        "began; restore them, or start a new run"
    )


def test_settings_that_were_right_when_the_run_began_are_no_mistyped_command_line(manifest: Manifest) -> None:
    with pytest.raises(StoreError) as error, pinned.going_on(manifest):
        raise UsageError("unknown framework crax: there is aiohttp")
    assert not isinstance(error.value, UsageError)
    assert str(error.value) == (
        "20261123-120000-quick cannot be resumed: unknown framework crax: there is aiohttp; restore what it began "
        "with, or start a new run"
    )
