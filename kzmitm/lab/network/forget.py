"""Lets the kernel forget the connections that it knows of the network namespace that this runs in.

Run by its path, with nothing of ours imported, so that it takes a moment only. Rules of NAT are asked when a
connection begins, and to UDP that is a pair of addresses and ports: a question from a port that was in use
half a minute ago would go where that one went. Exit status: an errno, 0 if it was done.
"""

import socket
import struct
import sys

NETLINK_NETFILTER = 12
NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE = 1, 2
"""linux/netfilter/nfnetlink.h, nfnetlink_conntrack.h; a request that names no connection means all."""
NLM_F_REQUEST, NLM_F_ACK = 0x01, 0x04
ANSWER = 4_096


def forget() -> int:
    """The errno of the kernel's answer."""
    kind = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE
    body = struct.pack("!BBH", socket.AF_UNSPEC, 0, 0)
    request = struct.pack("=IHHII", 16 + len(body), kind, NLM_F_REQUEST | NLM_F_ACK, 1, 0) + body
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as kernel:
        kernel.send(request)
        answer = kernel.recv(ANSWER)
    (error,) = struct.unpack_from("=i", answer, 16)
    return int(-error)


if __name__ == "__main__":
    sys.exit(forget())
