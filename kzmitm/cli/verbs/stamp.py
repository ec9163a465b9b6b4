"""Have a time-stamping authority attest when a result existed."""

import argparse
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

from kzmitm.cli.exits import Exit
from kzmitm.cli.parser import filled, filled_path
from kzmitm.cli.sources import read_file
from kzmitm.cli.terminal import print_json, print_lines, say
from kzmitm.cli.timestamp_roots import timestamp_roots
from kzmitm.errors import UsageError
from kzmitm.evidence import layout
from kzmitm.evidence.attachments import attach, check_attachment
from kzmitm.evidence.container import open_container
from kzmitm.evidence.opentimestamps import check_proof
from kzmitm.evidence.timestamps import accept_response, check_token, is_available, request_for
from kzmitm.evidence.token_check import TokenCheck, TokenReason, TokenStatus
from kzmitm.model.codec import format_time
from kzmitm.netio.timestamping import AuthorityError, fetch_token, parse_authority
from kzmitm.report.language import N_, Words, _
from kzmitm.report.line import Line, Style
from kzmitm.report.safe import harmless
from kzmitm.report.texts import failure_text

SCHEMA = "kzmitm.stamp/1.0"

TIMEOUT_S = 30.0
"""Authorities sign in a second or two; the rest is for slow networks and packets that were lost."""
MAX_TIMEOUT_S = 600.0

MAX_NAME = layout.MAX_ATTESTATION_NAME - len("attest-.unchecked.tsr")

MAX_COMPLAINT = 400

REASONS = Words(
    {
        TokenReason.TOO_LARGE: N_("it is too large"),
        TokenReason.DAMAGED: N_("it is cut short or damaged"),
        TokenReason.WRONG_MESSAGE: N_("it is no timestamp of this result"),
        TokenReason.WRONG_NONCE: N_("it is not the answer to our request, but an older one"),
        TokenReason.BAD_SIGNATURE: N_("its signature is wrong"),
        TokenReason.BAD_CHAIN: N_("its certificates do not hold at its time, or are not for timestamps"),
        TokenReason.UNREADABLE: N_("it breaks the rules of its encoding, as those of some authorities do"),
        TokenReason.UNKNOWN_ALGORITHM: N_("it is signed in a way that is not known here"),
        TokenReason.GRANTED_WITH_MODS: N_("the authority changed something about the request"),
        TokenReason.NO_LIBRARY: N_("rfc3161-client is missing or too old: pip install 'kzmitm[stamp]'"),
        TokenReason.NOT_GRANTED: N_("the authority refused to make one"),
        TokenReason.OPENTIMESTAMPS: N_("it is one of OpenTimestamps, which is told by Bitcoin's blocks"),
        TokenReason.NO_ROOT: N_("there is no root to check it against"),
        TokenReason.UNTRUSTED_ROOT: N_("its authority is not among the pinned roots; verify with --tsa-root"),
    }
)


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("bundle", metavar="RESULT", type=filled_path, help="the file or folder of a bundle")
    whose = parser.add_mutually_exclusive_group(required=True)
    whose.add_argument("--tsa", metavar="URL", type=filled, help="ask this authority (RFC 3161 over HTTP)")
    whose.add_argument("--token", metavar="FILE", type=filled,
        help="attach a timestamp that you have: a response of RFC 3161, or NAME.ots")  # fmt: skip
    add(
        "--name", type=filled, help="what to call the timestamp; else after the authority's host, or the file"
    )
    add("--tsa-root", metavar="FILE", action="append", default=[],
        help="a PEM file with the root of the authority, beside the pinned ones")  # fmt: skip
    add(
        "--timeout", metavar="S", type=float, default=TIMEOUT_S, help="seconds to wait (default: %(default)g)"
    )
    add("--json", action="store_true", help="one document (kzmitm.stamp/1.0) on stdout")
    parser.epilog = (
        "Nothing is sent without your order, and this is one: a hash of the result's signature goes to the\n"
        "authority. Exit code 0: stamped, and checked; 2: refused, or what came is worthless: nothing was\n"
        "kept; 3: no answer, or a timestamp that was kept and could not be checked here."
    )


def run(args: argparse.Namespace) -> int:
    if args.token is not None:
        return _attach_file(args)
    host = parse_authority(args.tsa)
    name = _name(host) if args.name is None else args.name
    if not 0 < args.timeout <= MAX_TIMEOUT_S:  # refuses NaN too
        raise UsageError(
            "--timeout: {timeout} is not possible",
            hint=_("give a number of seconds up to {most:g}").format(most=MAX_TIMEOUT_S),
            timeout=f"{args.timeout:g}",
        )
    check_attachment(args.bundle, _file_name(name, is_checkable=False))
    roots = timestamp_roots(args.tsa_root)
    with open_container(args.bundle) as container:
        stamped = container.read(layout.SIGNATURE, max_bytes=layout.MAX_TAG_FILE)
    _announce(host)
    request = request_for(stamped, secrets.token_bytes)
    try:
        token = fetch_token(args.tsa, request.der, timeout_s=args.timeout)
    except AuthorityError as exc:
        what = f"{host}: {failure_text(exc.failure)}" if exc.failure else _(str(exc))
        complaint = _("kzmitm: {what}; nothing was changed; {hint}").format(what=what, hint=_(exc.hint))
        say(harmless(complaint, MAX_COMPLAINT))
        return Exit.UNDECIDED
    check = accept_response(request, token, stamped, roots)
    _refuse_worthless(check, host)
    return _keep(args, _file_name(name, is_checkable=_is_checkable(check)), token, check)


def _attach_file(args: argparse.Namespace) -> int:
    """A timestamp that was made in another way; nothing is sent."""
    octets = read_file(args.token, option="--token", max_octets=layout.MAX_ATTESTATION)
    is_ots = args.token.endswith(".ots")
    name = _name(Path(args.token).stem.removeprefix("attest-").lower()) if args.name is None else args.name
    check_attachment(args.bundle, f"attest-{name}.ots" if is_ots else _file_name(name, is_checkable=True))
    with open_container(args.bundle) as container:
        stamped = container.read(layout.SIGNATURE, max_bytes=layout.MAX_TAG_FILE)
    if is_ots:
        check, file = check_proof(octets, stamped), f"attest-{name}.ots"
    else:
        check = check_token(octets, stamped, timestamp_roots(args.tsa_root))
        file = _file_name(name, is_checkable=_is_checkable(check))
    if check.status is TokenStatus.INVALID:
        raise UsageError(
            "--token: {token}: {reasons}",
            hint=_("stamp the file {file} of this very result").format(file=layout.SIGNATURE),
            token=args.token,
            reasons=REASONS[TokenReason(check.reason)],
        )
    return _keep(args, file, octets, check)


def _keep(args: argparse.Namespace, name: str, token: bytes, check: TokenCheck) -> int:
    file = attach(args.bundle, name, token)
    if args.json:
        print_json(_document(check, file))
    else:
        print_lines(_lines(check, file))
    return Exit.OK if check.status is TokenStatus.VALID else Exit.UNDECIDED


def _name(host: str) -> str:
    """A name for the timestamp after the host: letters a-z, digits and single hyphens."""
    return re.sub("[^a-z0-9]+", "-", host)[:MAX_NAME].strip("-") or "tsa"


def _file_name(name: str, *, is_checkable: bool) -> str:
    return f"attest-{name}.tsr" if is_checkable else f"attest-{name}.unchecked.tsr"


def _is_checkable(check: TokenCheck) -> bool:
    """True for a timestamp that lacks nothing, or nothing but a root, which a reader may have."""
    lacks_a_root = check.reason in (TokenReason.UNTRUSTED_ROOT, TokenReason.NO_ROOT)
    return check.status is TokenStatus.VALID or lacks_a_root


def _announce(host: str) -> None:
    """Say what will be sent, before it is."""
    say(
        _(
            "To {host} goes a hash of the result's signature, and nothing else. The authority sees this "
            "computer's IP address, and whoever watches the network sees whom you asked: better done by a "
            "partner, from the partner's network."
        ).format(host=harmless(host))
    )
    if not is_available():
        say(
            _("The timestamp will be kept, and cannot be checked here: {why}.").format(
                why=REASONS[TokenReason.NO_LIBRARY]
            )
        )


def _refuse_worthless(check: TokenCheck, host: str) -> None:
    if check.status is not TokenStatus.INVALID:
        return
    if check.reason == TokenReason.NOT_GRANTED:
        said = f" ({harmless(check.said)})" if check.said else ""
        complaint = _("{host} refused to make a timestamp{said}").format(host=host, said=said)
    else:
        complaint = _("what {host} sent is worthless: {why}; nothing was kept").format(
            host=host, why=REASONS[TokenReason(check.reason)]
        )
    raise UsageError(complaint, hint=_("try another authority"))


def _document(check: TokenCheck, file: str) -> dict[str, str | None]:
    return {
        "schema": SCHEMA,
        "version": "1.0",
        "file": file,
        "status": check.status,
        "at": format_time(check.at) if check.at else None,
        "authority": check.authority,
        "reason": check.reason,
    }


def _lines(check: TokenCheck, file: str) -> Iterator[Line]:
    time = format_time(check.at) if check.at else _("an unknown time")
    who = harmless(check.authority) or _("an unknown authority")
    if check.status is TokenStatus.VALID:
        text = _("existed at {time}, says {authority} ({file})")
        yield Line(text.format(time=time, authority=who, file=file), lead=_("STAMPED: "), style=Style.GOOD)
        return
    text = _("kept, not checkable here: {why} ({file})")
    why = REASONS[TokenReason(check.reason)]
    yield Line(text.format(why=why, file=file), lead=_("UNCHECKED: "), style=Style.WARNING)
    if check.reason == TokenReason.OPENTIMESTAMPS:
        yield Line(_("By hand, in the unpacked folder, and with Bitcoin's blocks:"))
        yield Line(f"  ots verify {file} -f {layout.SIGNATURE}")
        return
    yield Line(_("It claims {time}, by {authority}.").format(time=time, authority=who))
    yield Line(_("By hand, in the unpacked folder, with the root of the authority as root.pem:"))
    yield Line(f"  openssl ts -verify -in {file} -data {layout.SIGNATURE} -CAfile root.pem")
