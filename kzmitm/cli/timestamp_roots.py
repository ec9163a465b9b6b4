"""The roots that timestamps are checked against: the pinned public ones, and those of the user."""

from collections.abc import Sequence

from kzmitm.errors import UsageError


def timestamp_roots(files: Sequence[str]) -> list[bytes]:
    """DER of the pinned roots and of those in PEM `files`; raises UsageError."""
    from kzmitm.cli.sources import store_of  # noqa: PLC0415 (few results have timestamps, and it loads much)

    return [root for file in files for root in _roots(file)] + [each.der for each in store_of(None).anchors]


def _roots(file: str) -> list[bytes]:
    from kzmitm.cli.sources import MAX_STORE_OCTETS, read_file  # noqa: PLC0415
    from kzmitm.pki.store import parse_store  # noqa: PLC0415

    pem = read_file(file, option="--tsa-root", max_octets=MAX_STORE_OCTETS)
    try:
        return [each.der for each in parse_store(pem, name="", version="", date="").anchors]
    except UsageError as exc:
        raise UsageError(
            "--tsa-root: {file}: it holds no certificate that could be trusted", hint=exc.hint, file=file
        ) from None
