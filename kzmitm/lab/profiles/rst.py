"""The connection is reset once the ClientHello names a watched site."""

from kzmitm.lab.faults import Fault
from kzmitm.lab.path_fault import path_fault

PROFILE = path_fault(
    "rst", title="a filter that resets connections to watched names", site="forum.lab.test", fault=Fault.RESET
)
