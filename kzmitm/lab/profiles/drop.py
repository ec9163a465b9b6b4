"""Nothing comes any more once the ClientHello names a watched site."""

from kzmitm.lab.faults import Fault
from kzmitm.lab.path_fault import path_fault

PROFILE = path_fault(
    "drop",
    title="a filter that swallows connections to watched names",
    site="radio.lab.test",
    fault=Fault.DROP,
)
