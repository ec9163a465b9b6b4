"""Numbers with what they count, in the form that the language asks for: `1 domain`, `2 domains`."""

from kzmitm.report.language import ngettext


def domains(n: int) -> str:
    return ngettext("{n} domain", "{n} domains", n).format(n=n)


def networks(n: int) -> str:
    return ngettext("{n} network", "{n} networks", n).format(n=n)


def handshakes(n: int) -> str:
    return ngettext("{n} handshake", "{n} handshakes", n).format(n=n)


def measurements(n: int) -> str:
    return ngettext("{n} measurement", "{n} measurements", n).format(n=n)


def files(n: int) -> str:
    return ngettext("{n} file", "{n} files", n).format(n=n)


def targets(n: int) -> str:
    return ngettext("{n} target", "{n} targets", n).format(n=n)


def rounds(n: int) -> str:
    return ngettext("{n} round", "{n} rounds", n).format(n=n)
