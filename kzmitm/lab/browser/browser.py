"""Drives one Chromium: visits, looks, presses and clicks as a user would."""

import base64
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kzmitm.lab.browser.folders import is_root_behind, make_folders, write_whole
from kzmitm.lab.browser.keys import key_events
from kzmitm.lab.browser.page import LOOK, PageState, page_state
from kzmitm.lab.browser.pipe import BrowserError, Message
from kzmitm.lab.browser.program import FOLDERS, NO_SANDBOX, Process, command_line, environment_of
from kzmitm.report.safe import harmless
from kzmitm.wording import Wording

START_TIMEOUT_S = 30.0
"""Chromium is there after 0.7 s on an idle machine; the rest is for a busy one."""
COMMAND_TIMEOUT_S = 15.0
"""For the answer to one command; a screenshot of a long page takes a second."""
LOAD_TIMEOUT_S = 45.0
"""For a page: above the 30 s after which Chromium itself gives up a silent connection's first tries."""
SECURITY_TIMEOUT_S = 2.0
"""The word on the connection comes before the page is loaded; this is for a browser that changes that."""
POLL_S = 0.05
"""Between two looks at a condition; an event of the page comes sooner."""
MAX_COMPLAINTS = 100
"""A page that complains in a loop is not listened to for ever."""
DOMAINS = ("Page", "Runtime", "Log", "Security")
CENTRE = """((e) => {{ if (!e) return null; e.scrollIntoView({{block: "center", behavior: "instant"}});
const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2] }})(
document.querySelector({}))"""


class Browser:
    """A Chromium with a home of its own. A context manager; not for several threads.

    `prefix` are words before the command, such as those of nsenter; `home` is a folder as it is named behind
    them; `flags` are more flags of Chromium. Every method raises BrowserError if the browser is gone or slow.
    """

    def __init__(
        self,
        prefix: Sequence[str],
        home: Path,
        environment: Mapping[str, str],
        *,
        program: Path,
        headed: bool = False,
        flags: Sequence[str] = (),
    ) -> None:
        self._prefix = tuple(prefix)
        self._home = home
        self._environment = environment_of(environment, home)
        self._command = command_line(program, home, headed=headed, flags=flags)
        self._process: Process | None = None
        self._session: str | None = None
        self._sent = 0
        self._loaded = False
        self._security: Mapping[str, Any] | None = None
        self.complaints: list[str] = []
        """What pages wrote to the console as errors and warnings, and exceptions nobody caught."""

    @property
    def pid(self) -> int:
        """The leader of the browser's process group."""
        return self._running().pid

    def __enter__(self) -> Self:
        make_folders(self._prefix, [self._home / folder for folder in FOLDERS.values()], self._environment)
        sandbox = (NO_SANDBOX,) if is_root_behind(self._prefix, self._environment) else ()
        self._process = Process([*self._prefix, *self._command, *sandbox], self._environment)
        try:
            self._attach(time.monotonic() + START_TIMEOUT_S)
        except BaseException as exc:
            words = self._process.last_words()
            self.close()
            if not isinstance(exc, BrowserError):
                raise
            raise BrowserError("the browser did not start: {words}", words=words or exc) from exc
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the browser and all its processes; return when it is gone."""
        if self._process is not None:
            self._process.end()

    def visit(self, url: str) -> PageState:
        """Open a page; returns what is seen when it is loaded, be it a warning or an error page."""
        self._forget()
        deadline = time.monotonic() + LOAD_TIMEOUT_S
        answer = self.call("Page.navigate", {"url": url}, deadline=deadline)
        if "loaderId" in answer:  # else only another place of the same document
            self._wait_for(
                lambda: self._loaded, deadline, Wording("{url} did not load", url=harmless(url, 80))
            )
            self._wait_briefly(lambda: self._security is not None)
        return page_state(url, answer.get("errorText"), self.evaluate(LOOK), self._security or {})

    def evaluate(self, js: str) -> Any:
        """The value of an expression in the page, as JSON holds it; a promise is awaited."""
        answer = self.call(
            "Runtime.evaluate",
            {"expression": js, "returnByValue": True, "awaitPromise": True, "userGesture": True},
        )
        if "exceptionDetails" in answer:
            raise BrowserError(
                "the page refuses: {answer}", answer=harmless(_thrown(answer["exceptionDetails"]))
            )
        return answer["result"].get("value")

    def wait_until(self, js_condition: str, timeout: float = COMMAND_TIMEOUT_S) -> None:
        """Return when the expression is true; raises BrowserError after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while not self._holds(js_condition):
            if time.monotonic() > deadline:
                raise BrowserError(
                    "in {timeout} s it did not come true: {js_condition}",
                    timeout=f"{timeout:g}",
                    js_condition=harmless(js_condition),
                )
            self._listen(min(deadline, time.monotonic() + POLL_S))

    def press(self, key: str) -> None:
        """Press and release a key, such as `a`, `Enter`, `Shift+Tab`."""
        for event in key_events(key):
            self.call("Input.dispatchKeyEvent", event)

    def click(self, selector: str) -> None:
        """Click the middle of the first element of a CSS selector."""
        place = self.evaluate(CENTRE.format(json.dumps(selector)))
        if place is None:
            raise BrowserError("the page has no {selector}", selector=harmless(selector))
        x, y = place
        for kind in ("mousePressed", "mouseReleased"):
            event = {"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1}
            self.call("Input.dispatchMouseEvent", event)

    def look_as(self, width: int, height: int, *, dark: bool = False, medium: str = "") -> None:
        """Show pages in a window of this size, light or dark; `medium` `print` shows them as printed."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", {"media": medium, "features": [scheme]})

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """Write what is seen as PNG, a warning too; `whole` takes the whole page and not the window only."""
        answer = self.call("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": whole})
        write_whole(path, base64.b64decode(answer["data"]))

    def call(
        self, method: str, parameters: Mapping[str, Any] | None = None, *, deadline: float | None = None
    ) -> Message:
        """The result of any command of the DevTools protocol (chromedevtools.github.io/devtools-protocol)."""
        self._sent += 1
        number = self._sent
        message: Message = {"id": number, "method": method, "params": dict(parameters or {})}
        if self._session is not None:
            message["sessionId"] = self._session
        self._running().pipe.send(message)
        deadline = time.monotonic() + COMMAND_TIMEOUT_S if deadline is None else deadline
        while (answer := self._running().pipe.receive(deadline)) is not None:
            if answer.get("id") == number:
                if "error" in answer:
                    raise BrowserError(
                        "{method}: {get}", method=method, get=harmless(str(answer["error"].get("message")))
                    )
                result: Message = answer["result"]
                return result
            self._note(answer)
        raise BrowserError("the browser did not answer to {method}", method=method)

    def _attach(self, deadline: float) -> None:
        """Take hold of the page that the browser opened with."""
        page = None
        while page is None:
            targets = self.call("Target.getTargets", deadline=deadline)["targetInfos"]
            page = next((one["targetId"] for one in targets if one["type"] == "page"), None)
            if page is None and time.monotonic() > deadline:
                raise BrowserError("it opened no page")
        attached = self.call("Target.attachToTarget", {"targetId": page, "flatten": True}, deadline=deadline)
        self._session = attached["sessionId"]
        for domain in DOMAINS:
            self.call(f"{domain}.enable", deadline=deadline)

    def _running(self) -> Process:
        if self._process is None:
            raise BrowserError("the browser was not started")
        return self._process

    def _note(self, event: Message) -> None:
        """Take in what the browser says by itself."""
        parameters = event.get("params", {})
        match event.get("method"):
            case "Page.frameNavigated" if "parentId" not in parameters["frame"]:
                self._forget()
            case "Page.loadEventFired":
                self._loaded = True
            case "Security.visibleSecurityStateChanged":
                self._security = parameters["visibleSecurityState"]
            case "Page.javascriptDialogOpening":  # would keep the page from going on
                self._running().pipe.send(
                    {
                        "id": -1,
                        "method": "Page.handleJavaScriptDialog",
                        "params": {"accept": False},
                        "sessionId": self._session,
                    }
                )
            case "Log.entryAdded" if parameters["entry"]["level"] in ("error", "warning"):
                self._complain(parameters["entry"]["text"])
            case "Runtime.exceptionThrown":
                self._complain(_thrown(parameters["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if parameters["type"] in ("error", "warning", "assert"):
                said = [str(one.get("value", one.get("description"))) for one in parameters["args"]]
                self._complain(" ".join(said))

    def _forget(self) -> None:
        """Another page begins."""
        self._loaded, self._security = False, None

    def _complain(self, text: str) -> None:
        if len(self.complaints) < MAX_COMPLAINTS:
            self.complaints.append(harmless(text))

    def _holds(self, js: str) -> bool:
        """True if the expression is; a page that is just being replaced has none."""
        try:
            return bool(self.evaluate(f"Boolean({js})"))
        except BrowserError:
            self._running().pipe.send({"id": 0, "method": "Browser.getVersion"})  # raises if it is gone
            return False

    def _listen(self, deadline: float) -> None:
        message = self._running().pipe.receive(deadline)
        if message is not None:
            self._note(message)

    def _wait_for(self, condition: Callable[[], bool], deadline: float, failure: str) -> None:
        while not condition():
            if time.monotonic() > deadline:
                raise BrowserError(failure)
            self._listen(deadline)

    def _wait_briefly(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SECURITY_TIMEOUT_S
        while not condition() and time.monotonic() < deadline:
            self._listen(deadline)


def _thrown(details: Mapping[str, Any]) -> str:
    text = str(
        details.get("exception", {}).get("description") or details.get("text", Wording("an exception"))
    )
    return text.partition("\n")[0]
