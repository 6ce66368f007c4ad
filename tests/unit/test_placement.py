from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from benchlab.core.errors import ConfigError
from benchlab.experiment import placement

TWO = [[0], [1]]
FOUR = [[0], [1], [2], [3]]
SMT = [[0, 4], [1, 5], [2, 6], [3, 7]]
SIXTEEN = [[n] for n in range(16)]


@pytest.mark.parametrize(
    ("mode", "siblings", "proxy", "expected"),
    [
        ("auto", TWO, False, {}),
        ("shared", SIXTEEN, False, {}),
        ("auto", FOUR, False, {"client": (0,), "db": (1,), "app": (2, 3)}),
        ("auto", FOUR, True, {"client": (0,), "db": (1,), "proxy": (2,), "app": (3,)}),
        ("auto", SMT, False, {"client": (0, 4), "db": (1, 5), "app": (2, 3, 6, 7)}),
        ("auto", [[0, 1], [2, 3]], False, {}),  # four CPUs, but siblings are not torn apart
        ("split", [[0], [1], [2]], False, {"client": (0,), "db": (1,), "app": (2,)}),
        (
            "auto",
            SIXTEEN,
            True,
            {"client": (0, 1, 2, 3), "db": (4, 5, 6, 7), "proxy": (8, 9), "app": (10, 11, 12, 13, 14, 15)},
        ),
    ],
)
def test_each_role_gets_whole_cores_of_its_own_where_there_are_enough(
    mode: str, siblings: list[list[int]], proxy: bool, expected: dict[str, tuple[int, ...]]
) -> None:
    assert placement.choose(mode, siblings, proxy) == expected


def test_a_split_with_fewer_cores_than_roles_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"2 cores for 3 roles \(client, db, app\)"):
        placement.choose("split", TWO, proxy=False)


def test_the_placement_is_told() -> None:
    assert placement.summary({}, 2) == "all roles share the 2 CPUs"
    assert placement.summary({"client": (0, 4), "app": (1,)}, 5) == "CPUs 0,4 for the client, 1 for the app"


def test_the_kernel_s_list_of_siblings_is_a_core_each() -> None:
    assert placement.siblings("0,2\n1,3\n0,2\n1,3\n") == [(0, 2), (1, 3)]
    assert placement.siblings("0-1\n2-3\n") == [(0, 1), (2, 3)]


def test_compose_yaml_takes_the_cpus_of_each_role_from_the_placement() -> None:
    services = yaml.safe_load((Path(__file__).parents[2] / "compose.yaml").read_text())["services"]
    roles = {"client": "wrk", "db": "db", "proxy": "nginx", "app": "crax"}
    names = placement.settings(dict.fromkeys(roles, (0, 1)))
    assert set(names.values()) == {"0,1"}
    for role, service in roles.items():
        variable = f"LAB_CPUS_{role.upper()}"
        assert variable in names
        assert services[service]["cpuset"] == f"${{{variable}:-}}"
        assert services[service]["labels"]["benchlab.cpus"] == f"${{{variable}:-all}}"
