"""The browser of the walk: in the client's place, with a home of its own in the laboratory's memory."""

from pathlib import Path

from kzmitm.evidence.files import make_folder
from kzmitm.lab.browser import Browser, PageState, install_root, remove_root
from kzmitm.lab.control.client import Lab

ROOT_NAME = "look-alike"
PUBLIC_NAME = "public"
"""What the roots are called in the browser's store."""
HOST = "client"
WIDTH, HEIGHT = 1000, 640


class DemoBrowser:
    """Started for each look, as Chromium reads its store when it starts."""

    def __init__(self, lab: Lab, program: Path, folder: Path, *, headed: bool = False) -> None:
        """`program` is Chromium, `folder` where the pictures go."""
        self._lab = lab
        self._program = program
        self._folder = folder
        self._headed = headed
        self._home = lab.directory / "browser"
        self._pictures: list[Path] = []
        self._open: Browser | None = None
        # Browsers come with the roots of the real public authorities; so this one with the laboratory's.
        self._add(lab.status["public_root"].encode(), PUBLIC_NAME)

    @property
    def pictures(self) -> tuple[Path, ...]:
        """Every picture that was taken."""
        return tuple(self._pictures)

    def look(self, url: str, name: str) -> tuple[PageState, Path]:
        """Visit a page and keep a picture of what is seen; raises BrowserError."""
        make_folder(self._folder)
        path = self._folder / f"{name}.png"
        self.close()
        browser = self._start()
        try:
            page = browser.visit(url)
            browser.screenshot(path)
        finally:
            if not self._headed:  # a window stays until the next look
                self.close()
        self._pictures.append(path)
        return page, path

    def close(self) -> None:
        """Close what is open."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _start(self) -> Browser:
        browser = Browser(
            self._lab.prefix(HOST),
            self._home,
            self._lab.environment,
            program=self._program,
            headed=self._headed,
        )
        self._open = browser.__enter__()
        if not self._headed:
            browser.look_as(WIDTH, HEIGHT)
        return browser

    def install(self, root_pem: bytes) -> None:
        """Let this browser, and nothing else, trust a root."""
        self._add(root_pem, ROOT_NAME)

    def _add(self, root_pem: bytes, name: str) -> None:
        install_root(self._lab.prefix(HOST), self._home, root_pem, name, self._lab.environment)

    def remove(self) -> None:
        """Let it trust the root no more."""
        remove_root(self._lab.prefix(HOST), self._home, ROOT_NAME, self._lab.environment)
