"""The exception that parsers of `wire` raise; it never leaves the package."""

from kzmitm.wire.iana.alerts import DECODE_ERROR


class ViolationError(Exception):
    """The peer broke the protocol: `detail` says how, `alert` is what we tell it."""

    def __init__(self, detail: str, alert: int = DECODE_ERROR) -> None:
        super().__init__(detail)
        self.detail = detail
        self.alert = alert
