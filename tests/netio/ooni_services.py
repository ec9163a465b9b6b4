"""Stand-ins on loopback for the services of OONI: a bucket of S3, the API, a collector.

Each has a `fault(handler, ...)` that may answer in its place, and says so by returning True.
"""

import hashlib
import json
import re
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


class FakeTime:
    """A clock that sleeping puts on, and that nobody waits for."""

    def __init__(self):
        self.now = 1000.0
        self.slept = []

    def clock(self):
        return self.now

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *words: object):
        pass

    def do_GET(self):
        self.server.service.answer(self, b"")

    def do_POST(self):
        self.server.service.answer(self, self.rfile.read(int(self.headers["content-length"])))

    def reply(self, body, *, status=200, length=None, **headers):
        """An answer, with `length` instead of the true one."""
        self.send_response(status)
        self.send_header("content-length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def cut(self):
        """End the connection without a word."""
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def pour(self, chunk, count):
        """A body without length, of `count` times a chunk."""
        self.send_response(200)
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        for _ in range(count):
            self.wfile.write(chunk)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request, client_address):
        pass  # clients that have seen enough leave


@contextmanager
def serving(service):
    """The service on loopback, with its `url`."""
    server = Server(("127.0.0.1", 0), Handler)
    server.service = service
    service.server = server
    service.url = f"http://127.0.0.1:{server.server_port}"
    service.over = threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield service
    finally:
        service.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


class Service:
    """Remembers its requests as (path, parameters, headers)."""

    def __init__(self):
        self.requests = []
        self.fault = lambda _handler, *_words: False
        self._lock = threading.Lock()

    def answer(self, handler, body):
        parts = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        with self._lock:
            self.requests.append(
                (unquote(parts.path), query, {name.lower(): value for name, value in handler.headers.items()})
            )
        self.respond(handler, unquote(parts.path), query, body)


class Bucket(Service):
    """A bucket of S3 with pages of two keys."""

    def __init__(self, files=None, page=2):
        super().__init__()
        self.files = dict(files or {})
        self.etags = {}
        self.page = page

    def etag(self, key):
        return self.etags.get(key) or hashlib.md5(self.files[key], usedforsecurity=False).hexdigest()

    def respond(self, handler, path, query, _body):
        if self.fault(handler, path.lstrip("/"), query):
            return
        if path == "/" and query.get("list-type") == "2":
            handler.reply(self.listing(query["prefix"], query.get("continuation-token")))
        elif path[1:] in self.files:
            self._send(handler, path[1:])
        else:
            handler.reply(b"<Error><Code>NoSuchKey</Code></Error>", status=404)

    def listing(self, prefix, token=None):
        keys = sorted(key for key in self.files if key.startswith(prefix))
        start = int(token.removeprefix("token+/=")) if token else 0
        shown, rest = keys[start : start + self.page], keys[start + self.page :]
        files = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>2024-03-01T00:00:00.000Z</LastModified>"
            f"<ETag>&quot;{self.etag(key)}&quot;</ETag><Size>{len(self.files[key])}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
            for key in shown
        )
        more = f"<NextContinuationToken>token+/={start + self.page}</NextContinuationToken>" if rest else ""
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="{NAMESPACE}"><Name>b</Name>'
            f"<Prefix>{escape(prefix)}</Prefix><KeyCount>{len(shown)}</KeyCount><MaxKeys>1000</MaxKeys>"
            f"<IsTruncated>{'true' if rest else 'false'}</IsTruncated>{more}{files}</ListBucketResult>"
        ).encode()

    def _send(self, handler, key):
        octets, etag = self.files[key], f'"{self.etag(key)}"'
        wanted = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("range", ""))
        if wanted is None or handler.headers.get("if-range", etag) != etag:
            handler.reply(octets, etag=etag)
            return
        start = int(wanted[1])
        if start >= len(octets):
            handler.reply(b"", status=416, content_range=f"bytes */{len(octets)}")
            return
        told = f"bytes {start}-{len(octets) - 1}/{len(octets)}"
        handler.reply(octets[start:], status=206, etag=etag, content_range=told)

    def asked(self):
        """The ranges asked for, file by file."""
        return [(path[1:], headers.get("range")) for path, _query, headers in self.requests if path != "/"]


class API(Service):
    """OONI's API: documents by uid, rows of observations."""

    def __init__(self, documents=None, rows=()):
        super().__init__()
        self.documents = dict(documents or {})
        self.metas = {}
        self.rows = list(rows)

    def respond(self, handler, path, query, _body):
        if self.fault(handler, path, query):
            return
        if path == "/api/v1/raw_measurement":
            document = self.documents.get(query["measurement_uid"], {})
            handler.reply(document if isinstance(document, bytes) else json.dumps(document).encode())
        elif path == "/api/v1/measurement_meta":
            assert query["full"] == "true"
            handler.reply(json.dumps(self.metas.get(query["measurement_uid"], {})).encode())
        elif path == "/api/v1/observations":
            since, until = query["since"], query["until"]
            rows = [row for row in self.rows if since <= row["measurement_start_time"][:10] < until]
            first = int(query["offset"])
            results = rows[first : first + int(query["limit"])]
            handler.reply(json.dumps({"metadata": {}, "results": results}).encode())
        else:
            handler.reply(b"", status=404)


class Collector(Service):
    """Takes measurements, and keeps what it took."""

    def __init__(self):
        super().__init__()
        self.taken = []

    def respond(self, handler, path, _query, body):
        told = json.loads(body)
        document = json.loads(told["content"])
        if self.fault(handler, told, document):
            return
        assert path == "/api/v1/submit_measurement"
        handler.reply(json.dumps(self.take(told)).encode())

    def take(self, told):
        """Keep it; the answer."""
        with self._lock:
            self.taken.append(told)
            number = len(self.taken)
        return {"measurement_uid": f"20260102030405.{number:06}_KZ_urlgetter_{number:016x}", "error": None}


def first_times(count, what):
    """A fault of the first `count` requests."""
    left = [count]

    def fault(handler, *words: object):
        if left[0] == 0:
            return False
        left[0] -= 1
        what(handler, *words)
        return True

    return fault
