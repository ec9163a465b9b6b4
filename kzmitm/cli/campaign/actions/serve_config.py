"""Write the configuration of a nats-server for a campaign, and the credentials of all who come to it."""

import argparse
from pathlib import Path

from kzmitm.campaign.allotment import WORKER_URI
from kzmitm.campaign.file import parse_campaign
from kzmitm.campaign.sections import CampaignFile
from kzmitm.campaign.server_config import ServerSettings, ServerUser, server_config
from kzmitm.cli.exits import Exit
from kzmitm.cli.parser import filled, filled_path
from kzmitm.cli.sources import read_file
from kzmitm.cli.terminal import print_lines
from kzmitm.errors import UsageError
from kzmitm.evidence.files import create_file
from kzmitm.netio.nats_keys import Nkey, new_nkey
from kzmitm.netio.queue_access import is_here, read_credentials
from kzmitm.report.line import Line

CONFIG = "nats-server.conf"
COORDINATOR = "coordinator.creds"
MAX_FILE = 1 << 20


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("file", metavar="FILE", type=filled_path, help='a campaign (TOML) with vantages of uri = "worker:"')
    add("--out", metavar="DIR", type=filled_path, required=True, help="the folder to write to")
    add("--listen", metavar="HOST:PORT", type=filled, default="127.0.0.1:4222",
        help="where the server listens (default: %(default)s)")  # fmt: skip
    add("--tls-cert", metavar="FILE", type=filled, help="the server's certificate and chain (PEM)")
    add("--tls-key", metavar="FILE", type=filled, help="its private key (PEM)")
    add("--data", metavar="DIR", type=filled, help="where the server keeps things (default: OUT/data)")
    parser.epilog = (
        "Credentials that are there already stay: only new vantages get some. Start the server with\n"
        "nats-server -c DIR/nats-server.conf; give each worker its own DIR/worker-NAME.creds and no other."
    )


def run(args: argparse.Namespace) -> int:
    octets = read_file(str(args.file), option="FILE", max_octets=MAX_FILE)
    campaign = parse_campaign(octets, name=str(args.file))
    parts = [each for each in campaign.vantages if each.uri == WORKER_URI]
    workers = [each.name for each in parts]
    if not workers:
        raise UsageError(
            "{file}: no vantage is a worker", hint='uri = "worker:" in [[vantages]]', file=args.file
        )
    settings = _settings(args)
    args.out.mkdir(mode=0o700, parents=True, exist_ok=True)
    coordinator = _key(args.out / COORDINATOR, campaign, "")
    users = [
        ServerUser(
            each.name,
            _key(args.out / f"worker-{each.name}.creds", campaign, each.name).public,
            each.workers,
        )
        for each in parts
    ]
    try:
        text = server_config(campaign.name, coordinator.public, users, settings)
    except ValueError as exc:
        raise UsageError("{why}", hint="use paths without quotes", why=exc) from None
    _write(args.out / CONFIG, text)
    print_lines(
        Line(str(args.out / name)) for name in (CONFIG, COORDINATOR, *(f"worker-{w}.creds" for w in workers))
    )
    return Exit.OK


def _settings(args: argparse.Namespace) -> ServerSettings:
    host, colon, port = args.listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise UsageError("--listen: not HOST:PORT: {listen}", listen=repr(args.listen[:80]))
    if bool(args.tls_cert) != bool(args.tls_key):
        raise UsageError("--tls-cert and --tls-key go together")
    if not args.tls_cert and not is_here(host):
        raise UsageError(
            "--listen: others could read and change what workers send", hint="give --tls-cert and --tls-key"
        )
    return ServerSettings(
        host=host,
        port=int(port),
        store=str(Path(args.data or args.out / "data").absolute()),
        certificate=str(Path(args.tls_cert).absolute()) if args.tls_cert else "",
        key=str(Path(args.tls_key).absolute()) if args.tls_key else "",
    )


def _key(path: Path, campaign: CampaignFile, vantage: str) -> Nkey:
    """The key of a file of credentials, which is made if it is not there."""
    if not path.exists():
        key = new_nkey()
        notes = f"# campaign {campaign.name}\n" + (f"# vantage {vantage}\n" if vantage else "")
        create_file(
            path, [f"# Credentials of a kzmitm campaign's server; secret.\n{notes}{key.seed}\n".encode()]
        )
    found = read_credentials(path).nkey
    if found is None:
        raise UsageError("{path}: no credentials of ours", hint="give another --out", path=path)
    return found


def _write(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    create_file(path, [text.encode()])
