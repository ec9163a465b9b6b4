"""Sign a result of somebody else: you had it in hand, and it was unaltered."""

import argparse

from kzmitm.cli.exits import Exit
from kzmitm.cli.folders import keys_folder
from kzmitm.cli.parser import filled, filled_path
from kzmitm.cli.signing import recover_and_say, say_fingerprint
from kzmitm.cli.terminal import say
from kzmitm.errors import UsageError
from kzmitm.evidence import layout
from kzmitm.evidence.attachments import attach, check_attachment
from kzmitm.evidence.container import open_container
from kzmitm.evidence.signing.keys import SigningKey, campaign_key, load_key
from kzmitm.evidence.signing.sshsig import sign
from kzmitm.report.language import _
from kzmitm.report.safe import harmless

DEFAULT_KEY = "countersign"
"""The key of this user for what others measured."""


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("bundle", metavar="RESULT", type=filled_path, help="the file or folder of a bundle")
    add("--name", type=filled, required=True, help="who signs, as it will stand in the file's name")
    add(
        "--key",
        metavar="FILE",
        type=filled_path,
        help="an Ed25519 key in OpenSSH's format, without passphrase",
    )
    parser.epilog = (
        "Your name and key become part of the result, for everybody who gets it. Nothing that was signed\n"
        "before changes. Readers who know your key (known_signers) see that it is yours."
    )


def run(args: argparse.Namespace) -> int:
    filename = f"attest-{args.name}.sig"
    recover_and_say(args.bundle.absolute().parent)
    check_attachment(args.bundle, filename)
    key = _key(args)
    with open_container(args.bundle) as container:
        message = container.read(layout.TAG_MANIFEST, max_bytes=layout.MAX_TAG_FILE)
    written = attach(args.bundle, filename, sign(message, key.private, layout.COUNTERSIGN_NAMESPACE))
    say(
        _("countersigned as {file} with {fingerprint}").format(
            file=harmless(written), fingerprint=key.public.fingerprint
        )
    )
    say(_("Those who are to know it write into their known_signers:"))
    say(f'  {args.name} namespaces="{layout.COUNTERSIGN_NAMESPACE}" {key.public.line}')
    return Exit.OK


def _key(args: argparse.Namespace) -> SigningKey:
    if args.key is None:
        key, is_new = campaign_key(keys_folder(), DEFAULT_KEY)
        if is_new:
            say_fingerprint(key, DEFAULT_KEY)
        return key
    try:
        return load_key(args.key)
    except FileNotFoundError:
        raise UsageError(
            "--key: {key}: no such file", hint=_("name the file of a private key"), key=args.key
        ) from None
