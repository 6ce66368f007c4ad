"""A real browser in a container, to open reports in as a reader does.

    python -m tests.docker.browser results/latest docs/report.webp

takes the README's picture of a run's report. With a folder instead of the picture's name, it takes desktop.webp,
phone.webp, dark.webp and print.pdf of it.
"""

from __future__ import annotations

import base64
import io
import json
import os
import sys
import tarfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.proxy import Proxy
from selenium.webdriver.remote.client_config import ClientConfig
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

IMAGE = "benchlab-tests/chromium"
CONTEXT = Path(__file__).parent / "chromium"
PORT = "9515/tcp"
PROXY = ("http_proxy", "https_proxy", "no_proxy")
WAIT_S = 60
DESKTOP, PHONE = (1280, 900), (380, 800)
PICTURE = (1120, 1700)


class Browser:
    """A browser with one page open. `folder` is where the pages lie, as the browser sees them."""

    folder = "/reports"

    def __init__(self, driver: webdriver.Remote, container: Any):
        self._driver, self._container = driver, container

    def open(self, page: str, size: tuple[int, int] = DESKTOP, dark: bool = False) -> None:
        """Open the page in a window of this size, and wait until all of its plots are drawn."""
        width, height = size
        self.emulate(dark)
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=size == PHONE
        )
        self._container.put_archive("/", _archive(f"{self.folder}/report.html", page))
        self._driver.get("about:blank")
        self.console()
        self.requests()
        self._driver.get(f"file://{self.folder}/report.html")
        for plot in self.all(".plot"):
            self.see(plot)

    def see(self, element: WebElement) -> None:
        """Scroll to the element, and wait until its plot is drawn, where it is one."""
        self.script("arguments[0].scrollIntoView({block: 'center'})", element)
        if "plot" in (element.get_attribute("class") or ""):
            self.wait(lambda: element.find_elements(By.CSS_SELECTOR, ".main-svg"))

    def emulate(self, dark: bool, medium: str = "") -> None:
        """Prefer dark or light, on a screen or on paper."""
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.command("Emulation.setEmulatedMedia", media=medium, features=features)

    def all(self, selector: str) -> list[WebElement]:
        return self._driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        return self._driver.find_element(By.CSS_SELECTOR, selector)

    def script(self, source: str, *arguments: object) -> Any:
        return self._driver.execute_script(source, *arguments)

    def command(self, name: str, **parameters: object) -> dict[str, Any]:
        found: dict[str, Any] = self._driver.execute("executeCdpCommand", {"cmd": name, "params": parameters})["value"]
        return found

    def wait(self, condition: Any) -> None:
        WebDriverWait(self._driver, WAIT_S, poll_frequency=0.05).until(lambda _: condition())

    def point_at(self, element: WebElement) -> None:
        """Move the mouse to the middle of the element."""
        self.script("arguments[0].scrollIntoView({block: 'center'})", element)
        box = self.script(
            "const b = arguments[0].getBoundingClientRect(); return [b.x, b.y, b.width, b.height]", element
        )
        x, y = box[0] + box[2] / 2, box[1] + box[3] / 2
        # From beside it: a mouse that does not move tells nothing.
        for step in (8, 0):
            self.command("Input.dispatchMouseEvent", type="mouseMoved", x=x + step, y=y)

    def console(self) -> list[str]:
        """Return what the page has complained of since this was last asked."""
        return [str(entry["message"]) for entry in self._log("browser")]

    def requests(self) -> list[str]:
        """Return the addresses that the page has asked for since this was last asked."""
        events = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]

    def _log(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._driver.execute("getLog", {"type": kind})["value"]
        return found

    def printed(self) -> bytes:
        """Return the page as the browser prints it, as PDF."""
        return base64.b64decode(self.command("Page.printToPDF", printBackground=True)["data"])

    def picture(self) -> bytes:
        """Return what is to be seen, as WebP."""
        self.command("Emulation.setScrollbarsHidden", hidden=True)
        return base64.b64decode(self.command("Page.captureScreenshot", format="webp", quality=85)["data"])


@contextmanager
def browser() -> Iterator[Browser]:
    """Run a browser for the length of the with block."""
    client = docker.from_env()
    _build(client)
    container = client.containers.run(
        IMAGE,
        detach=True,
        auto_remove=True,
        init=True,
        user="10001:10001",
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
        tmpfs={"/tmp": "size=1g,mode=1777"},
        ports={PORT: ("127.0.0.1", 0)},
        labels={"benchlab.lab": "yes"},
    )
    try:
        driver = _driver(container)
        try:
            yield Browser(driver, container)
        finally:
            driver.quit()
    finally:
        container.remove(force=True)


def _build(client: docker.DockerClient) -> None:
    """Bring the image up to date; what an older build leaves without a name is removed."""
    before = [image.id for image in client.images.list(IMAGE)]
    arguments = {name: os.environ[name] for name in (*PROXY, *map(str.upper, PROXY)) if name in os.environ}
    image, _ = client.images.build(path=str(CONTEXT), tag=IMAGE, rm=True, forcerm=True, buildargs=arguments)
    for old in before:
        if old != image.id:
            client.images.remove(str(old))


def _driver(container: Any) -> webdriver.Remote:
    options = webdriver.ChromeOptions()
    # The container is the sandbox, and has little shared memory.
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    address = f"http://127.0.0.1:{_port(container)}"
    # A proxy of the environment is for what lies outside.
    direct = ClientConfig(address, proxy=Proxy({"proxyType": "direct"}))
    return webdriver.Remote(address, options=options, client_config=direct)


def _port(container: Any) -> int:
    """Return the port that the driver answers on, once it does."""
    deadline = time.monotonic() + WAIT_S
    asker = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        container.reload()
        try:
            port = int(container.ports[PORT][0]["HostPort"])
            asker.open(f"http://127.0.0.1:{port}/status", timeout=WAIT_S)
            return port
        except (KeyError, OSError) as error:
            if time.monotonic() > deadline:
                raise TimeoutError(f"chromedriver does not answer ({error}): {container.logs()!r}") from error
            time.sleep(0.1)


def _archive(path: str, text: str) -> bytes:
    content, archive = text.encode(), io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo(path.lstrip("/"))
        entry.size, entry.mode = len(content), 0o644
        tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


def main(run: Path, wanted: Path) -> None:
    page = (run / "report.html").read_text(encoding="utf-8")
    with browser() as opened:
        if not wanted.is_dir():
            wanted.write_bytes(_picture(opened, page, PICTURE))
            return
        for name, size, dark in (("desktop", PICTURE, False), ("phone", PHONE, False), ("dark", PICTURE, True)):
            (wanted / f"{name}.webp").write_bytes(_picture(opened, page, size, dark))
        opened.open(page)
        (wanted / "print.pdf").write_bytes(opened.printed())


def _picture(opened: Browser, page: str, size: tuple[int, int], dark: bool = False) -> bytes:
    opened.open(page, size, dark)
    opened.script("scrollTo(0, 0)")
    return opened.picture()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
