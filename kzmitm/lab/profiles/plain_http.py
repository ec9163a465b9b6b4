"""A page in the clear comes instead of TLS once the ClientHello names a watched site."""

from kzmitm.lab.faults import Fault
from kzmitm.lab.path_fault import path_fault

PROFILE = path_fault(
    "plain_http",
    title="a filter that answers for watched names, in the clear",
    site="archive.lab.test",
    fault=Fault.PLAIN,
)
