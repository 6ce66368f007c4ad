"""The factor proxy: what stands in front of an entry."""

from __future__ import annotations

from dataclasses import dataclass

from benchlab.experiment.settings import PROXY as SETTING
from benchlab.factors.factor import AS_IS, Service, Tools, Varied, labelled
from benchlab.records.plan import NO_PROXY, Settings


@dataclass(frozen=True, kw_only=True)
class Proxy(Varied):
    """The first proxy of the settings stands in front of every entry; there are variants for the others."""

    def levels(self, settings: Settings) -> tuple[str, ...]:
        return (AS_IS, *settings.proxies[1:])

    def made(self, entry: str, service: Service, level: str, tools: Tools) -> Service:
        return labelled(service, proxy=level)


PROXY = Proxy(
    name="proxy",
    flag=SETTING.name,
    example=f"{SETTING.name} none,nginx",
    mark="-via-",
    words={NO_PROXY: "no proxy"},
)
