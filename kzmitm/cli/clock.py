"""The wall clock: read here and nowhere else, so that everything below takes `now` as an argument."""

from datetime import UTC, datetime

from kzmitm.errors import UsageError


def now() -> datetime:
    """The present, aware UTC."""
    return datetime.now(UTC)  # noqa: TID251 (this is the one place)


def parse_time(text: str, *, option: str = "--now") -> datetime:
    """An ISO 8601 time as aware UTC (UTC where it names no zone); raises UsageError."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise UsageError(
            "{option}: not a time: {text}",
            hint="write it like 2019-07-20T12:00:00Z",
            option=option,
            text=repr(text),
        ) from exc
