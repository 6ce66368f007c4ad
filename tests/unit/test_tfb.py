from __future__ import annotations

import json
from typing import Any

import pytest

from benchlab.core.errors import ConfigError
from benchlab.techempower import tfb
from benchlab.techempower.tfb import Candidate

DEFAULT = {
    "json_url": "/json",
    "query_url": "/queries/",
    "cached_query_url": "/cached-worlds?count=",
    "database": "Postgres",
    "framework": "brook",
    "orm": "Full",
    "notes": None,
    "versus": "None",
}


def _config(**tests: Any) -> str:
    return json.dumps({"framework": "brook", "tests": [tests]})


def _refused(**changes: Any) -> str:
    """Return why a test with these changes is refused."""
    suite = tfb.suite(_config(default={**DEFAULT, **changes}))
    assert not suite.candidates
    return suite.refused["brook"]


def test_a_test_becomes_a_candidate_by_the_rules_of_the_format() -> None:
    variant = {
        "db_url": "/db",
        "port": 9000,
        "database": "None",
        "dockerfile": "docker/other.dockerfile",
        "docker_cmd": "serve --port '90 00'",
        "tags": ["broken"],
    }
    suite = tfb.suite(_config(default=DEFAULT, slow=variant))
    about = {name: str(DEFAULT[name]) for name in ("database", "framework", "orm", "versus")}
    assert suite == tfb.Suite(
        "brook",
        (
            Candidate(
                name="brook",
                variant="default",
                dockerfile="brook.dockerfile",
                tests={"json": "/json", "query": "/queries/", "cached-query": "/cached-worlds?count="},
                port=8080,
                command=(),
                database="postgres",
                broken=False,
                about=about,
            ),
            Candidate(
                name="brook-slow",
                variant="slow",
                dockerfile="docker/other.dockerfile",
                tests={"db": "/db"},
                port=9000,
                command=("serve", "--port", "90 00"),
                database="none",
                broken=True,
                about={"database": "None"},
            ),
        ),
        {},
    )


def test_tests_may_be_chosen_by_either_name_and_broken_ones_only_so() -> None:
    suite = tfb.suite(_config(default=DEFAULT, slow={**DEFAULT, "tags": ["broken"]}, old={**DEFAULT, "database": "x"}))
    names = {
        wanted: [each.name for each in tfb.chosen(suite, wanted)[0]] for wanted in ((), ("slow",), ("brook-slow",))
    }
    assert names == {(): ["brook"], ("slow",): ["brook-slow"], ("brook-slow",): ["brook-slow"]}
    assert tfb.chosen(suite, ())[1] == {
        "brook-old": "its database is x, and the lab has Postgres or none",
        "brook-slow": 'its authors mark it as "broken"; --test takes it all the same',
    }
    for wanted, why in {
        "old": "--test old: its database is x, and the lab has Postgres or none",
        "new": "--test new: benchmark_config.json has no such test; there is brook, brook-slow",
    }.items():
        with pytest.raises(ConfigError) as raised:
            tfb.chosen(suite, (wanted,))
        assert str(raised.value) == why


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"database": "MySQL"}, "its database is MySQL, and the lab has Postgres or none"),
        ({"port": "8080"}, "port '8080' is not a valid port"),
        ({"port": 0}, "port 0 is not a valid port"),
        ({"port": True}, "port True is not a valid port"),
        ({"json_url": "json"}, "json_url 'json' is not a path: it must begin with /"),
        ({"json_url": "http://elsewhere/json"}, "json_url 'http://elsewhere/json' is not a path: it must begin with /"),
        ({"json_url": 7}, "json_url 7 is not a path: it must begin with /"),
        ({"json_url": "/a/../../etc"}, "json_url '/a/../../etc' leads out of the server: it has .."),
        ({"json_url": "/%2e%2E/etc"}, "json_url '/%2e%2E/etc' leads out of the server: it has .."),
        ({"json_url": "/a b"}, "json_url '/a b' has characters that no path may have"),
        ({"json_url": "/a\r\nX: y"}, "json_url '/a\\r\\nX: y' has characters that no path may have"),
        ({"dockerfile": "../other.dockerfile"}, "dockerfile '../other.dockerfile' leads out of the folder"),
        ({"dockerfile": "/etc/passwd"}, "dockerfile '/etc/passwd' leads out of the folder"),
        ({"dockerfile": ["a"]}, "dockerfile ['a'] is not a file name"),
        ({"dockerfile": 0}, "dockerfile 0 is not a file name"),
        ({"dockerfile": "a\x1b[0m"}, "dockerfile 'a\\x1b[0m' has unprintable characters"),
        ({"docker_cmd": []}, "docker_cmd [] is not a string"),
        ({"docker_cmd": "a\x00b"}, "docker_cmd 'a\\x00b' has unprintable characters"),
        ({"port": 70_000}, "port 70000 is not a valid port"),
        ({"port": -1}, "port -1 is not a valid port"),
        ({"port": None}, "port None is not a valid port"),
        ({"database": "\x1b[2J"}, "its database is \\x1b[2J, and the lab has Postgres or none"),
        ({"database": ["postgres"]}, "its database is ['postgres'], and the lab has Postgres or none"),
        ({"docker_cmd": "serve 'me"}, 'docker_cmd "serve \'me" is not a command (no closing quotation)'),
        ({"docker_cmd": ["serve"]}, "docker_cmd ['serve'] is not a string"),
        ({"tags": "broken"}, "tags 'broken' is not a list"),
    ],
)
def test_what_the_lab_cannot_run_is_refused_with_the_reason(changes: dict[str, Any], why: str) -> None:
    assert _refused(**changes) == why


@pytest.mark.parametrize("name", ["default", "brook"])
def test_a_refused_test_that_is_asked_for_is_told_with_the_reason_by_either_name(name: str) -> None:
    suite = tfb.suite(_config(default={**DEFAULT, "port": 0}, raw=DEFAULT))
    with pytest.raises(ConfigError) as raised:
        tfb.chosen(suite, (name,))
    assert str(raised.value) == f"--test {name}: port 0 is not a valid port"


def test_what_authors_say_of_a_test_is_kept_so_that_it_can_be_printed() -> None:
    (candidate,) = tfb.suite(_config(default={**DEFAULT, "notes": "\x1b[31mred\u202e\ud800\nend"})).candidates
    assert candidate.about["notes"] == "\\x1b[31mred\\u202e\\ud800\\nend"


def test_all_reasons_are_told_at_once() -> None:
    assert (
        _refused(database="MySQL", port=0)
        == "its database is MySQL, and the lab has Postgres or none; port 0 is not a valid port"
    )


def test_a_test_without_a_test_type_is_refused() -> None:
    assert tfb.suite(_config(default={"port": 8080})).refused["brook"].startswith("it declares none of json_url, ")
    assert tfb.suite(_config(default="brook")).refused["brook"] == "it is not an object"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{\n "framework": "brook",\n tests}', "line 3 is not valid JSON"),
        ("[]", "is not an object"),
        ('{"framework": "x", "tests": [{}]}', '"tests" has no test in it; add one'),
        ('{"framework": "x", "tests": [{}], "framework": "y"}', 'the key "framework" stands twice in one object'),
        (
            '{"framework": "x", "tests": [{"default": {"port": 1, "port": 2}}]}',
            'the key "port" stands twice in one object; leave one',
        ),
        (
            '{"framework": "x", "tests": [{"default": {"port": ' + "9" * 5000 + "}}]}",
            "benchmark_config.json cannot be read (Exceeds the limit",
        ),
        ("[" * 100_000, "nested too deeply"),
        ('{"tests": []}', '"framework" is None, not a name'),
        ('{"framework": "brook"}', '"tests" is not a list'),
        ('{"framework": "brook", "tests": {"default": {}}}', '"tests" is not a list'),
        (
            json.dumps({"framework": "brook", "tests": [{"default": DEFAULT}, {"default": DEFAULT}]}),
            "two tests brook; rename one",
        ),
    ],
)
def test_what_is_no_such_file_is_one_line_that_names_it(text: str, why: str) -> None:
    with pytest.raises(ConfigError) as raised:
        tfb.suite(text)
    assert str(raised.value).startswith(tfb.CONFIG)
    assert why in str(raised.value)
    assert "\n" not in str(raised.value)
