"""Write a campaign as one signed file of data, for places without a link."""

import argparse
from pathlib import Path

from kzmitm.campaign.export import export_octets
from kzmitm.cli.campaign.opening import open_file
from kzmitm.cli.exits import Exit
from kzmitm.cli.folders import keys_folder
from kzmitm.cli.parser import filled, filled_path
from kzmitm.cli.signing import say_fingerprint
from kzmitm.cli.sources import registry_of
from kzmitm.cli.terminal import print_lines, say
from kzmitm.errors import UsageError
from kzmitm.evidence.files import replace_file
from kzmitm.evidence.signing.keys import SigningKey, campaign_key, load_key
from kzmitm.report.language import _
from kzmitm.report.line import Line


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("file", metavar="FILE", type=filled_path, help="a campaign (TOML)")
    add("--sign-with", metavar="CAMPAIGN|FILE", type=filled, required=True,
        help="the key of a campaign of this user, or the file of an OpenSSH key")  # fmt: skip
    add("--out", metavar="FILE", type=filled_path, required=True, help="the file to write, as plan.kzc")
    add("--fingerprints", metavar="DIR", type=filled_path, action="append", default=[],
        help="lay the files of DIR over our registry; may be repeated")  # fmt: skip
    parser.epilog = "Each place runs it alone: kzmitm campaign run plan.kzc --vantage NAME --signer SHA256:…"


def run(args: argparse.Namespace) -> int:
    opened = open_file(args.file, registry_of(args.fingerprints))
    if opened.signer is not None:
        raise UsageError("{file}: is a signed campaign already", file=args.file)
    key = signing_key(args.sign_with)
    replace_file(args.out, [export_octets(opened.octets, opened.plan, key)])
    say(_("Those who get it need to know this key: {key}").format(key=key.public.fingerprint))
    print_lines([Line(str(args.out))])
    return Exit.OK


def signing_key(text: str) -> SigningKey:
    """The key in a file, or that of a campaign of this user, which is made if there is none."""
    path = Path(text)
    if path.is_file():
        return load_key(path)
    key, is_new = campaign_key(keys_folder(), text)
    if is_new:
        say_fingerprint(key, text)
    return key
