"""Our frozen dataclasses as JSON values and back: the only serialiser of the model.

Octets are base64, times ISO 8601 with `Z`, enums their value, tuples and sets lists. Reading is strict:
a wrong type, an unknown key or a missing field without default is a `CodecError` that names the field.
"""

import base64
import binascii
import dataclasses
import math
import re
import types
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from kzmitm.errors import BundleError
from kzmitm.wording import Wording

JSON = Any
"""None, bool, int, float, str, list or dict with str keys, as the standard library reads them."""

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{6})?Z", re.ASCII)
_UNIONS = (Union, types.UnionType)
T = TypeVar("T")
_Reader = Callable[[JSON, str], Any]


class CodecError(BundleError):
    """A JSON value is not what the model needs; the message begins with the path of the field."""


def to_json(value: Any) -> JSON:
    """`value` (dataclass, enum, bytes, datetime, tuple, frozenset or plain) as a JSON value.

    Every field is written, whatever its default. Raises TypeError for what the model does not hold, and
    ValueError for a naive time.
    """
    kind: Any = type(value)
    return _writer(kind)(value)


@cache
def _writer(kind: type) -> Callable[[Any], JSON]:
    """The function that writes one type, chosen once per type: scans write each of them by the thousand."""
    if kind in {types.NoneType, bool, int, float, str}:
        return _as_is
    if dataclasses.is_dataclass(kind):
        names = tuple(f.name for f in dataclasses.fields(kind))
        return lambda value: {name: to_json(getattr(value, name)) for name in names}
    for base, write in _WRITERS:
        if issubclass(kind, base):
            return write
    raise TypeError(f"not a value of the model: {kind.__name__}")


def _as_is(value: JSON) -> JSON:
    return value


def from_json(kind: type[T], data: JSON, path: str = "$") -> T:
    """The value of type `kind` that `data` stands for; raises CodecError beginning with the path."""
    key: Any = kind
    value: T = _reader(key)(data, path)
    return value


def format_time(moment: datetime) -> str:
    """`YYYY-MM-DDTHH:MM:SS[.ffffff]Z`; raises ValueError for a naive time."""
    if moment.tzinfo is None:
        raise ValueError("a time of the model is aware")
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def parse_time(text: str) -> datetime:
    """The aware UTC time of what `format_time` wrote; raises ValueError."""
    if not _TIME.fullmatch(text):
        raise ValueError("not a UTC time like 2026-01-02T03:04:05Z")
    return datetime.fromisoformat(text)


_WRITERS: tuple[tuple[type, Callable[[Any], JSON]], ...] = (
    (str, str),
    (bytes, lambda value: base64.b64encode(value).decode("ascii")),
    (datetime, format_time),
    (tuple, lambda value: [to_json(item) for item in value]),
    (list, lambda value: [to_json(item) for item in value]),
    (frozenset, lambda value: sorted(to_json(item) for item in value)),
    (Mapping, lambda value: {str(key): to_json(item) for key, item in value.items()}),
)


@cache
def _reader(kind: Any) -> _Reader:
    """The function that checks and converts one type, built once per type."""
    origin = get_origin(kind)
    if origin in _UNIONS:
        return _optional_reader(kind)
    if origin is tuple:
        return _tuple_reader(get_args(kind))
    if origin is frozenset:
        read_list = _tuple_reader((get_args(kind)[0], ...))
        return lambda data, path: frozenset(read_list(data, path))
    if dataclasses.is_dataclass(kind):
        return _dataclass_reader(kind)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _enum_reader(kind)
    plain = _PLAIN.get(kind)
    if plain is None:
        raise TypeError(f"not a type of the model: {kind!r}")
    return plain


def _optional_reader(kind: Any) -> _Reader:
    alternatives = [each for each in get_args(kind) if each is not types.NoneType]
    if len(alternatives) != 1:
        raise TypeError(f"only `X | None` can be told apart in JSON: {kind!r}")
    read = _reader(alternatives[0])
    return lambda data, path: None if data is None else read(data, path)


def _tuple_reader(kinds: tuple[Any, ...]) -> _Reader:
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        read = _reader(kinds[0])
        return lambda data, path: tuple(
            read(item, f"{path}[{i}]") for i, item in enumerate(_expect(data, list, path))
        )
    readers = tuple(_reader(each) for each in kinds)

    def read_fixed(data: JSON, path: str) -> tuple[Any, ...]:
        items = _expect(data, list, path)
        if len(items) != len(readers):
            raise CodecError(
                "{path}: {count} elements expected, not {count_2}",
                path=path,
                count=len(readers),
                count_2=len(items),
            )
        return tuple(
            read(item, f"{path}[{i}]") for i, (read, item) in enumerate(zip(readers, items, strict=True))
        )

    return read_fixed


def _dataclass_reader(kind: Any) -> _Reader:
    hints = get_type_hints(kind)
    fields = dataclasses.fields(kind)
    readers = {f.name: _reader(hints[f.name]) for f in fields}
    required = [
        f.name
        for f in fields
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]

    def read(data: JSON, path: str) -> Any:
        _expect(data, dict, path)
        for name in required:
            if name not in data:
                raise CodecError("{path}.{name}: missing", path=path, name=name)
        values = {}
        for name, item in data.items():
            reader = readers.get(name)
            if reader is None:
                raise CodecError("{path}: unknown key {name}", path=path, name=repr(name[:40]))
            values[name] = reader(item, f"{path}.{name}")
        return kind(**values)

    return read


def _enum_reader(kind: type[StrEnum]) -> _Reader:
    def read(data: JSON, path: str) -> StrEnum:
        try:
            return kind(_expect(data, str, path))
        except ValueError:
            raise CodecError(
                "{path}: not one of {kind}: {data}", path=path, kind=", ".join(kind), data=repr(data[:40])
            ) from None

    return read


def _expect(data: JSON, kind: type, path: str) -> Any:
    """`data`, if it is exactly of the JSON type: True is no number here."""
    if type(data) is not kind:
        raise CodecError(
            "{path}: {json_names} expected, not {data}",
            path=path,
            json_names=_JSON_NAMES[kind],
            data=_JSON_NAMES.get(type(data), "that"),
        )
    return data


_JSON_NAMES = {
    dict: Wording("an object"),
    list: "a list",
    str: "text",
    int: Wording("an integer"),
    float: "a number",
    bool: Wording("true or false"),
    types.NoneType: "null",
}


def _text(data: JSON, path: str) -> str:
    text: str = _expect(data, str, path)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise CodecError("{path}: half of a surrogate pair is no text", path=path) from None
    return text


def _integer(data: JSON, path: str) -> int:
    number: int = _expect(data, int, path)
    return number


def _number(data: JSON, path: str) -> float:
    if type(data) is not int and type(data) is not float:
        _expect(data, float, path)
    try:
        number = float(data)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise CodecError("{path}: not a finite number", path=path)
    return number


def _boolean(data: JSON, path: str) -> bool:
    flag: bool = _expect(data, bool, path)
    return flag


def _octets(data: JSON, path: str) -> bytes:
    try:
        return base64.b64decode(_expect(data, str, path), validate=True)
    except (binascii.Error, ValueError):
        raise CodecError("{path}: not base64", path=path) from None


def _time(data: JSON, path: str) -> datetime:
    try:
        return parse_time(_expect(data, str, path))
    except ValueError as exc:
        raise CodecError("{path}: {why}", path=path, why=exc) from None


_PLAIN: dict[Any, _Reader] = {
    str: _text,
    int: _integer,
    float: _number,
    bool: _boolean,
    bytes: _octets,
    datetime: _time,
}
