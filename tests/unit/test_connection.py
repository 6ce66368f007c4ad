from __future__ import annotations

import json
from http.client import RemoteDisconnected
from pathlib import Path

import pytest
import requests
from docker.context.config import get_context_id
from urllib3.exceptions import ProtocolError

from benchlab.core.errors import EngineError, NoEngineError, SetupError
from benchlab.engine import engine
from benchlab.engine.engine import Engine, engine_address, is_engine_named

FOO = "tcp://foo.example:2375"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return docker's configuration of a caller who has the context foo and has chosen no engine."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    described = tmp_path / "contexts/meta" / get_context_id("foo")
    described.mkdir(parents=True)
    endpoints = {"docker": {"Host": FOO, "SkipTLSVerify": False}}
    (described / "meta.json").write_text(json.dumps({"Name": "foo", "Metadata": {}, "Endpoints": endpoints}))
    config = tmp_path / "config.json"
    config.write_text("{}")
    return config


def test_without_a_choice_compose_is_led_to_the_machine_s_own_engine(config: Path) -> None:
    assert engine_address() == {"DOCKER_HOST": "unix:///var/run/docker.sock"}
    assert not is_engine_named()


def test_a_context_of_the_environment_leads_compose_to_its_engine(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "foo")
    assert engine_address() == {"DOCKER_HOST": FOO}
    assert is_engine_named()


def test_a_context_of_the_configuration_leads_compose_to_its_engine(config: Path) -> None:
    config.write_text('{"currentContext": "foo"}')
    assert engine_address() == {"DOCKER_HOST": FOO}
    assert is_engine_named()


def test_the_environment_s_context_wins_over_the_configuration_s(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text('{"currentContext": "foo"}')
    monkeypatch.setenv("DOCKER_CONTEXT", "default")
    assert engine_address() == {"DOCKER_HOST": "unix:///var/run/docker.sock"}
    assert not is_engine_named()


def test_the_tls_files_of_a_context_are_given_to_compose(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = config.parent / "contexts/tls" / get_context_id("foo") / "docker"
    files.mkdir(parents=True)
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (files / name).write_text("")
    monkeypatch.setenv("DOCKER_CONTEXT", "foo")
    assert engine_address() == {"DOCKER_HOST": FOO, "DOCKER_CERT_PATH": str(files), "DOCKER_TLS_VERIFY": "1"}


def test_docker_host_wins_over_every_context(config: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config.write_text('{"currentContext": "gone"}')
    monkeypatch.setenv("DOCKER_CONTEXT", "foo")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nowhere.sock")
    assert engine_address() == {}
    assert is_engine_named()
    with pytest.raises(NoEngineError, match="no Docker engine answers"):
        Engine.connect("lab")


def test_the_engine_of_the_chosen_context_is_asked_and_no_other(
    config: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    described = config.parent / "contexts/meta" / get_context_id("foo") / "meta.json"
    described.write_text(described.read_text().replace(FOO, f"unix://{tmp_path}/nowhere.sock"))
    monkeypatch.setenv("DOCKER_CONTEXT", "foo")
    with pytest.raises(NoEngineError, match="no Docker engine answers"):
        Engine.connect("lab")


def test_a_context_that_does_not_exist_is_said_to_be_missing(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "gone")
    for ask in (engine_address, lambda: Engine.connect("lab")):
        with pytest.raises(SetupError, match="the docker context gone does not exist; `docker context use` one of"):
            ask()


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (FileNotFoundError(2, "No such file or directory"), "No such file or directory"),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (RemoteDisconnected("Remote end closed connection"), "Remote end closed connection"),
    ],
)
def test_an_engine_that_is_lost_is_told_in_its_cause_s_words_with_the_remedy(cause: Exception, said: str) -> None:
    with (
        pytest.raises(EngineError, match=f"^starting db failed: {said}; start the engine again$"),
        engine.translated("starting db"),
    ):
        raise requests.ConnectionError(ProtocolError("Connection aborted.", cause))
