"""The name servers: dnsmasq, for the whole network and for those who answer in its stead."""

from collections.abc import Mapping, Sequence

NAME = "dnsmasq"
DNS = 53

ALL_OURS = "--local=/#/"
"""No other server knows better: what has no record does not exist."""

Answers = Mapping[str, Sequence[str]]
"""The addresses of each name, of both families."""


def arguments(program: str, answers: Answers, *, listen: Sequence[str] = (), port: int = DNS) -> list[str]:
    """The command of a name server that knows these names, and says of any other that it does not exist."""
    words = [
        program,
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--no-resolv",
        "--no-hosts",
        "--no-poll",
        "--user=root",  # the only user of the namespace
        "--group=",
        "--pid-file=",
        "--log-facility=-",
        "--local-ttl=1",
        "--bind-interfaces",
        f"--port={port}",
        ALL_OURS,
    ]
    words += [f"--listen-address={address}" for address in listen]
    # One record a family and name: dnsmasq gives them all and turns their order.
    for name, addresses in answers.items():
        v4 = [a for a in addresses if ":" not in a]
        v6 = [a for a in addresses if ":" in a]
        for pair in range(max(len(v4), len(v6))):
            both = [*v4[pair : pair + 1], *v6[pair : pair + 1]]
            words.append(f"--host-record={name},{','.join(both)}")
    return words


def denying(program: str, names: Sequence[str], upstream: str, *, port: int) -> list[str]:
    """The command of one that denies these names and asks `upstream` for the rest."""
    words = arguments(program, {}, port=port)
    words.remove(ALL_OURS)
    words += [f"--server={upstream}", *(f"--address=/{name}/" for name in names)]
    return words


def lying(program: str, names: Sequence[str], to: Sequence[str], upstream: str, *, port: int) -> list[str]:
    """The command of one that sends these names to the addresses `to` and asks `upstream` for the rest."""
    words = arguments(program, {}, port=port)
    words.remove(ALL_OURS)
    words.append(f"--server={upstream}")
    words += [f"--address=/{name}/{address}" for name in names for address in to]
    return words
