"""Reading fields of other people's JSON objects: the right type and size, or an error that says where."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from kzmitm.errors import BundleError
from kzmitm.model.codec import CodecError, from_json

MAX_ROWS = 4096
"""Rows of one kind in a measurement; OONI's largest have some hundred, ours fewer."""
MAX_TEXT = 1 << 16
"""Characters of a name, failure or address; names on the wire are below 64 KiB."""

T = TypeVar("T")


class DecodeError(BundleError):
    """A measurement is not what it says; the message begins with the path of the field."""


class Fields:
    """One object and the path to it. Missing and null are the same, as OONI's readers have it (df-000)."""

    __slots__ = ("_members", "path")

    def __init__(self, value: Any, path: str) -> None:
        if not isinstance(value, Mapping):
            raise DecodeError("{path}: not an object", path=path)
        self._members = value
        self.path = path

    def __contains__(self, key: str) -> bool:
        return self._members.get(key) is not None

    def raw(self, key: str) -> Any:
        return self._members.get(key)

    def text(self, key: str, default: str = "") -> str:
        found = self.optional_text(key)
        return default if found is None else found

    def optional_text(self, key: str) -> str | None:
        value = self._members.get(key)
        if value is None:
            return None
        if len(value) > MAX_TEXT if isinstance(value, str) else True:
            raise DecodeError(
                "{path}.{key}: not a text of at most {max_text} characters",
                path=self.path,
                key=key,
                max_text=MAX_TEXT,
            )
        return self.decoded(str, key, "")

    def number(self, key: str, default: float = 0.0) -> float:
        return self.decoded(float, key, default)

    def integer(self, key: str, default: int) -> int:
        return self.decoded(int, key, default)

    def decoded(self, kind: Any, key: str, default: T) -> T:
        """What `kzmitm.model.codec` makes of the value as `kind`; `default` if there is none."""
        value = self._members.get(key)
        if value is None:
            return default
        try:
            result: T = from_json(kind, value, f"{self.path}.{key}")
        except CodecError as exc:
            raise DecodeError("{why}", why=exc) from None
        return result

    def object(self, key: str) -> "Fields":
        """The object at `key`; an empty one if there is none."""
        value = self._members.get(key)
        return Fields({} if value is None else value, f"{self.path}.{key}")

    def objects(self, key: str) -> Iterator["Fields"]:
        """The objects of the list at `key`, none if there is no list."""
        values = self._members.get(key)
        if values is None:
            return
        if not isinstance(values, list) or len(values) > MAX_ROWS:
            raise DecodeError(
                "{path}.{key}: not a list of at most {max_rows} elements",
                path=self.path,
                key=key,
                max_rows=MAX_ROWS,
            )
        for i, value in enumerate(values):
            yield Fields(value, f"{self.path}.{key}[{i}]")
