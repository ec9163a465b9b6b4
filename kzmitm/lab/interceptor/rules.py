"""What the router must be told before the interceptor is started, and what takes it away again.

`inside` is the router's interface towards the client, `outside` the one towards the servers. Everything is
for the network namespace it is run in.
"""

from dataclasses import dataclass

from kzmitm.lab.interceptor.marks import Marks
from kzmitm.lab.interceptor.table import HTTPS_PORT

TABLE = "kzmitm_interceptor"
ROUTES = 443
"""The routing table that makes every address our own."""

_FAMILIES = ("-4", "-6")
_IPTABLES = ("iptables", "ip6tables")


@dataclass(frozen=True, slots=True)
class Command:
    """A program with its arguments, and what it reads."""

    argv: tuple[str, ...]
    stdin: str = ""


def inline_setup(inside: str, outside: str, *, queue: int, mark: int) -> tuple[Command, ...]:
    """For mode `inline`. While no interceptor is bound to the queue, every packet goes by."""
    marks = Marks.of(mark)
    return (
        # A connection that was taken over has two servers, whose windows conntrack cannot follow.
        _setting("netfilter/nf_conntrack_tcp_be_liberal", 1),
        # Else the reset for the server would be given to the socket that stands in for it.
        _setting("ipv4/tcp_early_demux", 0),
        # A port that the client uses again must be free here as well.
        _setting("ipv4/tcp_max_tw_buckets", 0),
        *(
            Command(("ip", family, *words.split()))
            for family in _FAMILIES
            for words in (
                f"rule add fwmark {marks.local:#x} lookup {ROUTES}",
                f"route add local default dev lo table {ROUTES}",
            )
        ),
        Command(("nft", "-f", "-"), _inline_table(inside, outside, marks)),
        *_queue_rules("-A", inside, outside, queue),
    )


def inline_teardown(inside: str, outside: str, *, queue: int, mark: int) -> tuple[Command, ...]:
    """Takes away all of `inline_setup`, but for the limit on TIME_WAIT, whose default depends on memory."""
    marks = Marks.of(mark)
    return (
        *_queue_rules("-D", inside, outside, queue),
        *_delete_table(),
        *(
            Command(("ip", family, *words.split()))
            for family in _FAMILIES
            for words in (
                f"route del local default dev lo table {ROUTES}",
                f"rule del fwmark {marks.local:#x} lookup {ROUTES}",
            )
        ),
        _setting("ipv4/tcp_early_demux", 1),
        _setting("netfilter/nf_conntrack_tcp_be_liberal", 0),
    )


def proxy_setup(inside: str, *, port: int) -> tuple[Command, ...]:
    """For mode `proxy`: while nobody listens on the port, every connection is refused.

    The interceptor's own connections do not pass this hook.
    """
    statements = f"""\
add table inet {TABLE}
add chain inet {TABLE} caught {{ type nat hook prerouting priority dstnat; policy accept; }}
add rule inet {TABLE} caught iifname "{inside}" tcp dport {HTTPS_PORT} redirect to :{port}
"""
    return (Command(("nft", "-f", "-"), statements),)


def proxy_teardown() -> tuple[Command, ...]:
    """Takes away all of `proxy_setup`; connections that are redirected stay so."""
    return _delete_table()


def _delete_table() -> tuple[Command, ...]:
    return (Command(("nft", "-f", "-"), f"delete table inet {TABLE}\n"),)


def _setting(name: str, value: int) -> Command:
    """Written as a file, as `sysctl` is not everywhere: /proc/sys/net is that of the writer's namespace."""
    return Command(("tee", f"/proc/sys/net/{name}"), f"{value}\n")


def _queue_rules(verb: str, inside: str, outside: str, queue: int) -> tuple[Command, ...]:
    """What is queued: connections of which nothing is decided, their SYN and the answer to it.

    A SYN always, as a port that is used again may have an old connection's mark.
    """
    undecided = "-m connmark --mark 0"
    synack = "--tcp-flags SYN,ACK SYN,ACK"
    matches = (
        f"-i {inside} -p tcp --dport {HTTPS_PORT} --tcp-flags SYN,ACK SYN",
        f"-i {inside} -p tcp --dport {HTTPS_PORT} ! --tcp-flags SYN,ACK SYN {undecided}",
        f"-i {outside} -p tcp --sport {HTTPS_PORT} {synack} {undecided}",
    )
    target = f"-j NFQUEUE --queue-num {queue} --queue-bypass"
    return tuple(
        Command((program, "-w", "-t", "mangle", verb, "PREROUTING", *match.split(), *target.split()))
        for program in _IPTABLES
        for match in matches
    )


def _inline_table(inside: str, outside: str, marks: Marks) -> str:
    """What becomes of a packet behind the queue (mangle, -150), by its mark and its connection's.

    The reset comes first: the socket of its connection exists already, and it is not for that.
    """
    from_inside = f'iifname "{inside}" tcp dport {HTTPS_PORT}'
    rules = (
        f"meta mark {marks.take} ct mark set {marks.take} meta mark set 0 accept",
        f"meta mark {marks.fresh} ct mark set 0 meta mark set 0 accept",
        f"{from_inside} socket transparent 1 meta mark set {marks.local} accept",
        f"meta mark {marks.leave} ct mark set {marks.leave} meta mark set 0 accept",
        f"meta mark {marks.local} ct mark set {marks.take} accept",
        # Whatever the server's half still says gets a reset with the number that it expects.
        f'iifname "{outside}" ct mark {marks.take} meta l4proto tcp reject with tcp reset',
        f"{from_inside} ct mark {marks.take} meta mark set {marks.local} accept",
    )
    lines = [
        f"add table inet {TABLE}",
        f"add chain inet {TABLE} decided {{ type filter hook prerouting priority -140; policy accept; }}",
        *(f"add rule inet {TABLE} decided {rule}" for rule in rules),
        f"add chain inet {TABLE} own {{ type filter hook output priority mangle; policy accept; }}",
        f"add rule inet {TABLE} own meta mark {marks.own} ct mark set {marks.leave}",
    ]
    return "".join(f"{line}\n" for line in lines)
