"""OONI's own reader: every measurement as its dataclasses; those that it refuses are passed over.

    .venv-oonidata/bin/python bench/peers/read_oonidata.py FOLDER

Read and decompressed as its `dataclient.stream_jsonl` does; nothing of ours is imported.
"""

import sys
from pathlib import Path

from oonidata.dataclient import load_measurement, stream_jsonl


def main() -> None:
    read = refused = handshakes = 0
    for path in sorted(Path(sys.argv[1]).rglob("*.gz")):
        with path.open("rb") as file:
            for document in stream_jsonl(file):
                try:
                    measurement = load_measurement(document)
                except Exception:  # noqa: BLE001 (whatever it refuses by)
                    refused += 1
                    continue
                read += 1
                handshakes += len(getattr(measurement.test_keys, "tls_handshakes", None) or ())
    print(read, "measurements,", handshakes, "handshakes,", refused, "refused", file=sys.stderr)


if __name__ == "__main__":
    main()
