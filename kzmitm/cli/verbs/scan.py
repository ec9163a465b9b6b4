"""Open TLS connections to sites and say who stands between."""

import argparse
import asyncio
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from kzmitm.cli import clock, consent, scan_options
from kzmitm.cli.capturing import capturing, keep_packets
from kzmitm.cli.exits import Exit
from kzmitm.cli.loop import run_until_stopped
from kzmitm.cli.progress import progress
from kzmitm.cli.results import Results
from kzmitm.cli.scan_options import Checked
from kzmitm.cli.scan_run import ScanRun, Told
from kzmitm.cli.scan_setup import Setup, open_results, set_up
from kzmitm.cli.sources import registry_of
from kzmitm.cli.targets import Selection, select
from kzmitm.cli.terminal import give_up_stdout, print_json, print_lines, say
from kzmitm.cli.ways import check_ways
from kzmitm.errors import ConsentError, UsageError
from kzmitm.netio.capture import Capture
from kzmitm.netio.descriptors import make_room
from kzmitm.probe.trace_way import check_link
from kzmitm.report.language import N_, Words, _, ngettext
from kzmitm.report.line import Line
from kzmitm.report.safe import harmless
from kzmitm.scan import Network
from kzmitm.wording import reason_of

STOPPED_EARLY = "stopped_early"

NOTES = Words(
    {
        "doh_given_up": N_("encrypted DNS did not answer and was left out"),
        "ipv6_unusable": N_("this network has no IPv6; it was left out"),
        "local_roots_unread": N_(
            "the trust stores of this computer could not be read; this is a fault of kzmitm"
        ),
        "not_located": N_("the way to an intercepted target leads into a tunnel, and was not traced"),
        STOPPED_EARLY: N_("two independent interceptions were found, so the scan ended (--thorough goes on)"),
    }
)

configure = scan_options.configure


def run(args: argparse.Namespace) -> int:
    checked = scan_options.check(args)
    registry = registry_of(args.fingerprints)
    with ExitStack() as stack:
        targets = select(args.targets, args.lists, registry, stack)
        targets = replace(targets, sni=checked.sni)
        setup = set_up(args, checked, registry, targets)
        if args.dry_run:
            return _dry_run(targets, as_json=args.json)
        _check_folder(setup.control_path)
        consent.demand(understood=args.i_understand)
        _allow_sensitive(targets, allowed=args.include_sensitive)
        make_room(
            setup.options.concurrency
        )  # this and the next three may fail, so before anything is written
        check_ways(setup.link, setup.control_link)
        if args.locate:
            check_link(setup.link)
        network = setup.network()
        capture = stack.enter_context(capturing(wanted=args.pcap))
        return _scan(args, checked, setup, targets, network, capture)


def _scan(
    args: argparse.Namespace,
    checked: Checked,
    setup: Setup,
    targets: Selection,
    network: Network,
    capture: Capture | None,
) -> int:
    results = open_results(args, checked, setup, targets, clock.now())
    stop = asyncio.Event()
    with progress(targets.count) as shown:
        told = Told(results, shown, quiet=args.json)
        scanning = ScanRun(setup, network, targets, told, stop)
        ended = run_until_stopped(scanning.measure(), stop)
        complete = ended and STOPPED_EARLY not in scanning.notes
        if capture is not None:
            keep_packets(capture, results)
        scanning.settle(complete=complete)
        complete = complete and results.failure is None and scanning.control_failure is None
    try:
        if args.json:
            results.print_document()
        elif scanning.not_shown is None:
            print_lines(scanning.tally.closing_lines(is_kept=results.path is not None))
    except OSError as exc:  # all is saved
        scanning.not_shown = exc
    _say_the_rest(scanning, results, targets, ended=ended)
    if args.control and not scanning.compared:
        say(_("the control shows nothing of these targets, so nothing was compared"))
    return _ending(scanning, complete=complete)


def _ending(scanning: ScanRun, *, complete: bool) -> int:
    code = scanning.tally.exit_code(complete=complete)
    if scanning.not_shown is None or isinstance(scanning.not_shown, BrokenPipeError):
        return code  # nobody is left to read it
    say(_("standard output could not be written: {why}").format(why=harmless(reason_of(scanning.not_shown))))
    give_up_stdout()
    return code or Exit.FAULT


def _say_the_rest(scanning: ScanRun, results: Results, targets: Selection, *, ended: bool) -> None:
    if scanning.is_cut_off:
        say(
            _("nobody answered, no resolver and no site: see whether this computer is connected to a network")
        )
    for code in scanning.notes:
        say(NOTES.get(code, code.replace("_", " ")))
    for what, failure in ((_("result"), results.failure), (_("control"), scanning.control_failure)):
        if failure is not None:
            why = harmless(reason_of(failure))
            say(_("the {what} could not be written: {why}").format(what=what, why=why))
    if not ended:
        done = scanning.tally.counts.total()
        say(
            ngettext(
                "stopped; {done} of {total} target was measured",
                "stopped; {done} of {total} targets were measured",
                targets.count,
            ).format(done=done, total=targets.count)
        )
    if results.path is not None:
        if results.failure is None:
            for words in results.closing_words():
                say(words)
        else:
            say(_("What was written before that is kept; to read it:"))
            say(f"  kzmitm show {harmless(str(results.path), 4096)}")


def _dry_run(targets: Selection, *, as_json: bool) -> int:
    if as_json:
        named = [str(target) for target in targets]
        print_json({"schema": "kzmitm.targets/1.0", "version": "1.0", "count": len(named), "targets": named})
    else:
        print_lines(Line(harmless(str(target))) for target in targets)
    return Exit.OK


def _check_folder(path: Path | None) -> None:
    if path is not None and not path.parent.is_dir():
        raise UsageError(
            "--record-control: {parent} is no folder", hint=_("make it first"), parent=path.parent
        )


def _allow_sensitive(targets: Selection, *, allowed: bool) -> None:
    """A list of human rights or news sites tells of whoever asks for all of them: ask once more."""
    if allowed or not targets.sensitive:
        return
    lists = ", ".join(targets.sensitive)
    if not consent.at_terminal():
        raise ConsentError(
            _("the list {lists} exposes who scans it").format(lists=lists),
            hint=_("give --include-sensitive if you know what you do"),
        )
    say(
        _("The list {lists} holds sites that draw attention to whoever asks for them all.").format(
            lists=lists
        )
    )
    if consent.ask(_("Type {word} to scan it:").format(word=consent.AGREEMENT)) != consent.AGREEMENT:
        raise ConsentError(_("the sensitive list was not scanned"))
