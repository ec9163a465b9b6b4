"""Roots that variables and settings of tools point at, beside or in the place of the system's own.

Each variable and each setting is a store, with the file that it names. Of another system there are no
variables but those that its files set.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from kzmitm.roots.certificate_files import (
    FileRoots,
    Place,
    files_in,
    looks_like_certificate,
    read_file,
    read_folder,
)
from kzmitm.roots.pem import read_certificates
from kzmitm.roots.system import System, UnreadableError
from kzmitm.roots.tool_settings import LISTS, SHELLS, TOOLS, VARIABLES, Setting, SettingsFile, settings_in
from kzmitm.roots.values import Origin, Platform, Store, StoredRoot, StoreReading, Trust
from kzmitm.wording import Wording

PLATFORMS = frozenset({Platform.LINUX, Platform.MACOS})

MAX_FILE = 1 << 20
"""Octets of a file of settings; a long one of a shell has some ten thousand."""
MAX_NAMED = 16
"""Folders in one variable."""

RELATIVE = Wording("no absolute path, so which file it is depends on where the tool runs")
_HOME = re.compile(r"~(?=/)|\$HOME(?=/)|\$\{HOME\}")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]{0,63})\}")
_NO_PATHS = frozenset({"", "true", "false", "yes", "no", "null", "none", "0", "1", "truststore"})
_PEM = "-----BEGIN "


@dataclass(frozen=True, slots=True)
class _Named:
    """What names a place: how it is called, in whose file it stands, and whose home that is."""

    kind: str
    application: str
    value: str
    home: str = ""
    file: str = ""


@dataclass(slots=True)
class _Places:
    """Places of roots; several names often point at one."""

    system: System
    _read: dict[str, FileRoots] = field(default_factory=dict)

    def at(self, path: str) -> FileRoots:
        held = self._read.get(path)
        if held is None:
            held = self._read[path] = self._fresh(path)
        return held

    def _fresh(self, path: str) -> FileRoots:
        if self.system.is_folder(path):
            paths = filter(looks_like_certificate, files_in(self.system, path))
            return read_folder(self.system, paths, Place.BUNDLE, Origin.ENVIRONMENT, may_be_empty=True)
        held = read_file(self.system, path, Place.BUNDLE, Origin.ENVIRONMENT)
        return FileRoots(problem=Wording("there is no such file")) if held is None else held


def read(system: System) -> Iterator[StoreReading]:
    """Every variable and every setting that names roots."""
    places = _Places(system)
    for named in (*_variables(system), *_settings(system)):
        if _PEM in named.value:
            yield _inline(named)
            continue
        path = _path(system, named)
        if path.lower() in _NO_PATHS:
            continue
        held = places.at(path) if path.startswith("/") and "\0" not in path else FileRoots(problem=RELATIVE)
        yield StoreReading(store=_store(named, path), roots=held.roots, problem=held.problem)


def _store(named: _Named, path: str) -> Store:
    user = named.home.rpartition("/")[2]
    return Store(kind=named.kind, application=named.application, path=path, profile=user)


def _variables(system: System) -> Iterator[_Named]:
    for name, tool in VARIABLES.items():
        for value in _parts(name, system.environ.get(name, "")):
            yield _Named("environment_variable", Wording("{tool} ({name})", tool=tool, name=name), value)


def _parts(name: str, value: str) -> Sequence[str]:
    return [part for part in value.split(":") if part][:MAX_NAMED] if name in LISTS else [value]


def _settings(system: System) -> Iterator[_Named]:
    for form in TOOLS:
        for file, home, setting in _lines(system, form):
            yield _Named("tool_setting", _told(form.tool, setting, file), setting.value, home, file)
    for file, home, setting in _lines(system, SHELLS):
        tool = VARIABLES.get(setting.key)
        if tool is None or system.environ.get(setting.key) == setting.value:
            continue  # of another case, or told of as a variable that is set now
        for value in _parts(setting.key, setting.value):
            yield _Named("tool_setting", _told(tool, setting, file), value, home, file)


def _told(tool: str, setting: Setting, file: str) -> Wording:
    return Wording("{tool} ({key} in {file})", tool=tool, key=setting.key, file=file)


def _lines(system: System, form: SettingsFile) -> Iterator[tuple[str, str, Setting]]:
    """The settings in all files of a form, with the file and the home folder it is in."""
    for pattern in form.paths:
        for home in system.homes() if pattern.startswith("~") else ("",):
            for file in system.glob(home + pattern.removeprefix("~")):
                try:
                    text = system.read(file, max_octets=MAX_FILE).decode("utf-8", "replace")
                except (FileNotFoundError, UnreadableError):
                    continue  # that the settings of a tool cannot be read is no matter of roots
                for setting in settings_in(text, form):
                    yield file, home, setting


def _path(system: System, named: _Named) -> str:
    """The path that a value means, with the home folder of the one whose setting it is."""
    home = named.home or next(iter(system.homes()), "")
    path = _HOME.sub(lambda _: home, named.value, count=1) if home else named.value
    return _VARIABLE.sub(lambda found: system.environ.get(found[1], found[0]), path)


def _inline(named: _Named) -> StoreReading:
    """Certificates that stand in the setting itself, as npm has them."""
    held = read_certificates(named.value.replace("\\n", "\n").encode())
    roots = tuple(
        StoredRoot(der=found.der, trust=Trust.TRUSTED, origin=Origin.ENVIRONMENT)
        for found in held.certificates
    )
    return StoreReading(store=_store(named, named.file), roots=roots, problem=held.problem)
