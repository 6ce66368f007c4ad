"""The TechEmpower format in: the text of a benchmark_config.json, to tests that can be adopted, or why they cannot."""

from __future__ import annotations

import json
import re
import shlex
import string
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

from benchlab.core.errors import ConfigError, UsageError
from benchlab.experiment.workloads import WORKLOADS
from benchlab.records.plan import PORT

CONFIG = "benchmark_config.json"
DEFAULT, BROKEN = "default", "broken"
POSTGRES, NO_DATABASE = "postgres", "none"
# What the lab has, by the names that the format's contributors use.
DATABASES = {"postgres": POSTGRES, "postgresql": POSTGRES, "none": NO_DATABASE, "": NO_DATABASE}
# Where each test type's path stands.
URLS = {test: f"{test.replace('-', '_')}_url" for test in WORKLOADS}
# What is kept of a test beside what runs it.
ABOUT = (
    *("approach", "classification", "database", "display_name", "flavor", "framework", "language", "notes", "orm"),
    *("platform", "versus", "webserver"),
)
# What Compose and the engine take as the name of a service, a container and a tag.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
NO_NAME = "cannot be an entry's name; use letters, digits, '.', '_' and '-'"
MAX_PORT = 65_535
# What a path and a query may hold (RFC 3986).
PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*")


@dataclass(frozen=True)
class Candidate:
    """A test of the TechEmpower format, which can be an entry of the lab.

    `tests` maps each test type to its path; `command` replaces the image's where it is not empty; `database` is
    "postgres" or "none"; `about` is what its authors say of it, word for word.
    """

    name: str
    variant: str
    dockerfile: str
    tests: Mapping[str, str]
    port: int
    command: tuple[str, ...]
    database: str
    broken: bool
    about: Mapping[str, str]

    @property
    def project(self) -> str:
        """Return what its folder is called in the format, which all of its tests share."""
        return self.name if self.variant == DEFAULT else self.name.removesuffix(f"-{self.variant}")


@dataclass(frozen=True)
class Suite:
    """The tests of one folder: those that the lab can run, and why it cannot run the others, by name."""

    framework: str
    candidates: tuple[Candidate, ...]
    refused: Mapping[str, str]


def suite(text: str) -> Suite:
    """Return the tests of a benchmark_config.json. Raises ConfigError where it is none."""
    content = _parsed(text)
    framework, groups = content.get("framework"), content.get("tests")
    if not isinstance(framework, str) or not framework:
        raise ConfigError(f'{CONFIG}: "framework" is {framework!r}, not a name; fix it')
    if not isinstance(groups, list) or not groups or not all(isinstance(group, dict) for group in groups):
        raise ConfigError(f'{CONFIG}: "tests" is not a list of tests by name; fix it')
    if not any(groups):
        raise ConfigError(f'{CONFIG}: "tests" has no test in it; add one, as "{DEFAULT}"')
    candidates: dict[str, Candidate] = {}
    refused: dict[str, str] = {}
    for variant, keys in ((variant, keys) for group in groups for variant, keys in group.items()):
        name = _whole(framework, variant)
        if name in candidates or name in refused:
            raise ConfigError(f"{CONFIG}: there are two tests {printable(name)}; rename one")
        if problems := list(_problems(name, keys)):
            refused[name] = "; ".join(problems)
        else:
            candidates[name] = _candidate(name, variant, keys)
    return Suite(framework, tuple(candidates.values()), refused)


def chosen(suite: Suite, wanted: Iterable[str]) -> tuple[list[Candidate], dict[str, str]]:
    """Return the wanted tests, by their whole names or their variants' alone, and why others are left out.

    Where none is wanted, all are but those that their authors mark as broken. Raises UsageError for a test that is
    wanted and not there, or refused.
    """
    names = set(wanted)
    known = {name for candidate in suite.candidates for name in (candidate.name, candidate.variant)}
    for name in sorted(names - known):
        if reason := suite.refused.get(name) or suite.refused.get(_whole(suite.framework, name)):
            raise UsageError(f"--test {name}: {reason}")
        usable = ", ".join(printable(each.name) for each in suite.candidates) or "none that the lab can run"
        raise UsageError(f"--test {name}: {CONFIG} has no such test; there is {usable}")
    if names:
        return [each for each in suite.candidates if {each.name, each.variant} & names], {}
    broken = {
        each.name: f'its authors mark it as "{BROKEN}"; --test takes it all the same'
        for each in suite.candidates
        if each.broken
    }
    return [each for each in suite.candidates if not each.broken], {**suite.refused, **broken}


def is_name(text: str) -> bool:
    """Return whether an entry can have this name."""
    return NAME.fullmatch(text) is not None


def printable(text: str) -> str:
    """Return the text with what does not show, or turns a line round, as an escape."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def _whole(framework: str, variant: str) -> str:
    """Return the whole name of a test."""
    return framework if variant == DEFAULT else f"{framework}-{variant}"


def _parsed(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{CONFIG}: line {error.lineno} is not valid JSON ({error.msg}); fix it") from error
    except ValueError as error:
        # A number of thousands of digits.
        raise ConfigError(f"{CONFIG} cannot be read ({error}); fix it") from error
    except RecursionError:
        raise ConfigError(f"{CONFIG} is nested too deeply; fix it") from None
    if not isinstance(content, dict):
        raise ConfigError(f'{CONFIG} is not an object with "framework" and "tests"; fix it')
    return content


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON. Raises ConfigError for a key that stands there twice."""
    result = dict(pairs)
    if len(result) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ConfigError(f"{CONFIG}: the key {json.dumps(twice)} stands twice in one object; leave one")
    return result


def _candidate(name: str, variant: str, keys: Mapping[str, Any]) -> Candidate:
    return Candidate(
        name=name,
        variant=variant,
        dockerfile=keys.get("dockerfile") or f"{name}.dockerfile",
        tests={test: keys[url] for test, url in URLS.items() if url in keys},
        port=keys.get("port", PORT),
        command=tuple(shlex.split(keys.get("docker_cmd") or "")),
        database=DATABASES[str(keys.get("database") or "").lower()],
        broken=BROKEN in (keys.get("tags") or ()),
        about={key: printable(keys[key]) for key in ABOUT if isinstance(keys.get(key), str)},
    )


def _problems(name: str, keys: Any) -> Iterator[str]:
    """Yield why the lab cannot run a test, all reasons that there are."""
    if not isinstance(keys, dict):
        yield "it is not an object"
        return
    if str(keys.get("database") or "").lower() not in DATABASES:
        yield f"its database is {printable(str(keys['database']))}, and the lab has Postgres or none"
    port = keys.get("port", PORT)
    if type(port) is not int or not 1 <= port <= MAX_PORT:
        yield f"port {str(port)[:20] if type(port) is int else repr(port)} is not a valid port"
    if not any(url in keys for url in URLS.values()):
        yield f"it declares none of {', '.join(URLS.values())}"
    yield from (
        f"{url} {keys[url]!r} {why}" for url in URLS.values() if url in keys and (why := _wrong_path(keys[url]))
    )
    if why := _wrong_file(f"{name}.dockerfile" if keys.get("dockerfile") in (None, "") else keys["dockerfile"]):
        yield f"dockerfile {keys.get('dockerfile')!r} {why}"
    if why := _wrong_command("" if keys.get("docker_cmd") is None else keys["docker_cmd"]):
        yield f"docker_cmd {keys.get('docker_cmd')!r} {why}"
    if not isinstance(keys.get("tags", []), list | None):
        yield f"tags {keys['tags']!r} is not a list"


def _wrong_path(path: object) -> str:
    if not isinstance(path, str) or not path.startswith("/"):
        return "is not a path: it must begin with /"
    if not PATH.fullmatch(path):
        return "has characters that no path may have"
    return "leads out of the server: it has .." if ".." in unquote(path.partition("?")[0]).split("/") else ""


def _wrong_file(name: object) -> str:
    if not isinstance(name, str):
        return "is not a file name"
    if not name.isprintable():
        return "has unprintable characters"
    path = PurePosixPath(name)
    return "leads out of the folder" if path.is_absolute() or ".." in path.parts else ""


def _wrong_command(command: object) -> str:
    if not isinstance(command, str):
        return "is not a string"
    if not set(command) <= set(string.printable) and not command.isprintable():
        return "has unprintable characters"
    try:
        shlex.split(command)
    except ValueError as error:
        return f"is not a command ({str(error).lower()})"
    return ""
