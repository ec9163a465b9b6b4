"""Where vantages come out: asked of a service that the file names, and of nobody else."""

import json
import signal
import ssl
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import zstandard

FILE = """\
[campaign]
name = "located"
contact = "someone@example.org"

[targets]
names = ["a.site.test"]

[controls]
names = ["control.site.test"]

[[vantages]]
name = "home"
{declared}
[collect]
families = [4]
doh = false
follow_ups = false

[limits]
endpoint_gap = "0s"
{more}"""
LOCATE = '[networks]\ntable = "table.txt"\nlocate = "https://where.test:{port}/cdn-cgi/trace"\n'


class Service:
    """Tells whoever asks that they come from 192.0.2.1, in Kazakhstan."""

    def __init__(self, pem):
        self.asked = 0

        class Handler(BaseHTTPRequestHandler):
            def do_GET(handler):  # noqa: N805 (the service is self)
                self.asked += 1
                body = b"fl=1\nip=192.0.2.1\nloc=KZ\n"
                handler.send_response(200)
                handler.send_header("Content-Length", str(len(body)))
                handler.end_headers()
                handler.wfile.write(body)

            def log_message(self, *_arguments): ...

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def service(genuine):
    made = Service(genuine.site("where.test"))
    yield made
    made.close()


@pytest.fixture
def words(tmp_path, serve, genuine, service):
    """The words of a run of a campaign whose vantage is as `declared`."""
    port = serve(genuine.site("*.site.test"))
    (tmp_path / "table.txt").write_text("192.0.2.0/24 AS64500\n127.0.0.0/8 AS64511\n")

    def make(declared="", more=LOCATE, where=service.port):
        path = tmp_path / "located.toml"
        path.write_text(FILE.format(declared=declared, more=more.format(port=where)))
        return [
            "campaign", "run", str(path), "--out", str(tmp_path / "out"), "--i-understand",
            "--store", str(genuine.pem), "--resolve", f"where.test:{where}:127.0.0.1",
            "--connect-to", f":443:127.0.0.1:{port}",
        ]  # fmt: skip

    return make


def labels(folder):
    octets = b"".join(path.read_bytes() for path in folder.rglob("*.zst"))
    text = zstandard.ZstdDecompressor().stream_reader(octets, read_across_frames=True).read()
    return {(line["probe_asn"], line["probe_cc"]) for line in map(json.loads, text.splitlines())}


def test_what_the_service_says_labels_every_measurement(kzmitm, words, service, tmp_path):
    done = kzmitm(*words())
    assert done.code == 0, done.err
    assert "home: it comes out at AS64500, KZ\n" in done.err
    assert labels(tmp_path / "out") == {("AS64500", "KZ")}
    assert service.asked == 1
    events = kzmitm("campaign", "status", tmp_path / "out", "--json").json["events"]
    (found,) = (each for each in events if each["event"] == "vantage_located")
    assert (found["vantage"], found["asn"], found["cc"]) == ("home", "AS64500", "KZ")
    kept = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert b"192.0.2.1" not in kept
    assert "192.0.2.1" not in done.err


def test_nobody_is_asked_unless_the_file_says_so(kzmitm, words, service, tmp_path):
    done = kzmitm(*words('asn = "9198"\ncc = "kz"\n', more=""))
    assert done.code == 0
    assert service.asked == 0
    assert labels(tmp_path / "out") == {("AS9198", "KZ")}


def test_a_vantage_that_is_not_where_the_campaign_says_is_not_measured_from(words, tmp_path):
    with subprocess.Popen(
        [sys.executable, "-m", "kzmitm", *words('asn = "AS9198"\n')],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    ) as child:
        told = child.stderr.readline()
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=20) == 3
    assert told == (
        b"home: the vantage cannot be used: it comes out at AS64500, and the campaign says AS9198\n"
    )
    assert not list((tmp_path / "out").rglob("*.zst"))


def test_where_the_service_is_out_of_reach_the_file_is_believed(kzmitm, words, tmp_path, serve, forger):
    done = kzmitm(*words('asn = "AS9198"\n', where=serve(forger.site("where.test"))))
    assert done.code == 0
    assert "home: where it comes out could not be learned: " in done.err
    assert labels(tmp_path / "out") == {("AS9198", "ZZ")}


def test_a_network_that_was_found_out_is_told_of_by_the_history(kzmitm, words, forger, tmp_path, serve):
    told = words()
    told[told.index("--connect-to"):] = [
        "--connect-to", f"a.site.test:443:127.0.0.1:{serve(forger.site('a.site.test'))}",
        *told[told.index("--connect-to"):], "--fingerprints", str(forger.overlay()),
    ]  # fmt: skip
    assert kzmitm(*told).code == 1
    found = kzmitm("campaign", "history", tmp_path / "out", "--json").json["spans"]["network"]
    assert [each["name"] for each in found] == ["AS64500"]
