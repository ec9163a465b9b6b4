"""Zstandard, an extra: asked for when results are written or read, and not when the command starts."""

from typing import Any

from kzmitm.errors import UsageError

MAX_WINDOW = 1 << 23
"""Octets that a compressed stranger may have us keep in memory to decompress it."""


def _library() -> Any:
    try:
        import zstandard  # noqa: PLC0415 (an extra)
    except ImportError:
        raise UsageError(
            "zstandard is not installed", hint="pip install 'kzmitm[campaign]', which brings it"
        ) from None
    return zstandard


def compressor(level: int) -> Any:
    """What compresses octets to a frame."""
    return _library().ZstdCompressor(level=level)


def bounded_reader(file: Any) -> Any:
    """A stream of the content of all frames in a file; reading raises what `is_damage` knows."""
    decompressor = _library().ZstdDecompressor(max_window_size=MAX_WINDOW)
    return decompressor.stream_reader(file, read_size=1 << 16, read_across_frames=True)


def is_damage(error: Exception) -> bool:
    """The error says that no such frame is there."""
    return isinstance(error, _library().ZstdError)
