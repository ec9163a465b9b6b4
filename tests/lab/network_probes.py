"""Runs at the client of a network: asks, walks and shakes hands with ordinary sockets; says JSON.

python network_probes.py PROBE ARGUMENTS-AS-JSON
"""

import errno
import ipaddress
import json
import select
import socket
import ssl
import struct
import sys
import time
from concurrent.futures import ThreadPoolExecutor

IP_RECVERR, IPV6_RECVERR = 11, 25
"""linux/in.h, linux/in6.h"""
MSG_ERRQUEUE = 0x2000
PATIENCE_S = 5.0
SILENCE_S = 0.3
"""The network answers within a millisecond."""
UDP_PORT = 33434


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def limited(address, kind, ttl):
    """A socket whose packets live for `ttl` hops and that is told who let them die."""
    sock = socket.socket(family(address), kind)
    if ":" in address:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    sock.settimeout(0)
    return sock


def offender(sock):
    """Who sent the ICMP message (ip(7): struct sock_extended_err, then its address), and its type."""
    try:
        _, ancillary, _, _ = sock.recvmsg(2048, 1024, MSG_ERRQUEUE)
    except BlockingIOError:
        return None
    for level, kind, data in ancillary:
        if (level, kind) in ((socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR)):
            rest = data[16:]
            told = rest[4:8] if level == socket.IPPROTO_IP else rest[8:24]
            return str(ipaddress.ip_address(told)), data[5]
    return None


def step(address, port, kind, ttl, silence):
    """Who answers for this distance; `*` if nobody does."""
    with limited(address, kind, ttl) as sock:
        code = sock.connect_ex((address, port))
        if code not in (0, errno.EINPROGRESS):
            return errno.errorcode[code]
        if kind == socket.SOCK_DGRAM:
            sock.send(b"kzmitm")
        poll = select.poll()
        poll.register(sock, select.POLLOUT if kind == socket.SOCK_STREAM else 0)
        for _, event in poll.poll(silence * 1000):
            if event & select.POLLERR and (told := offender(sock)) is not None:
                return told[0]
            if event & select.POLLOUT and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                return address
        return "*"


def walk(address, kind, silence=PATIENCE_S):
    """Who answers at each distance, all of them asked at once."""
    port, kind = (443, socket.SOCK_STREAM) if kind == "tcp" else (UDP_PORT, socket.SOCK_DGRAM)
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda ttl: step(address, port, kind, ttl, silence), range(1, 5)))


def walks(ways, silence):
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda way: walk(*way, silence), ways))


def connect(addresses):
    """How a connection to each address ends."""
    said = {}
    for address in addresses:
        with socket.socket(family(address)) as sock:
            sock.settimeout(SILENCE_S)
            try:
                sock.connect((address, 443))
                said[address] = "connected"
            except TimeoutError:
                said[address] = "silence"
            except OSError as exc:
                said[address] = errno.errorcode[exc.errno]
    return said


def ask(server, name, kind):
    """The response code and the addresses that a name server gives (RFC 1035, 4.1)."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    question = labels + b"\0" + struct.pack("!2H", kind, 1)
    with socket.socket(family(server), socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE_S)
        sock.connect((server, 53))
        sock.send(struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + question)
        answer = sock.recv(4096)
    flags, _, count = struct.unpack_from("!3H", answer, 2)
    at, found = 12 + len(question), []
    for _ in range(count):
        of, _, _, length = struct.unpack_from("!2HIH", answer, at + 2)  # behind a pointer to the name
        at += 12
        if of == kind:
            found.append(str(ipaddress.ip_address(answer[at : at + length])))
        at += length
    return flags & 0xF, sorted(found)


def names(server, wanted):
    return {name: {kind: ask(server, name, int(kind)) for kind in ("1", "28")} for name in wanted}


def resolve(wanted):
    """What ordinary programs are told."""
    said = {}
    for name in wanted:
        began = time.monotonic()
        try:
            said[name] = sorted({info[4][0] for info in socket.getaddrinfo(name, 443)})
        except socket.gaierror as exc:
            said[name] = exc.errno == socket.EAI_NONAME
        assert time.monotonic() - began < PATIENCE_S
    return said


def shake(addresses, hostnames):
    """The leaf that each address shows for each name, DER as hexadecimal."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    said = {}
    for address in addresses:
        for hostname in hostnames:
            with (
                socket.create_connection((address, 443), PATIENCE_S) as raw,
                context.wrap_socket(raw, server_hostname=hostname) as sock,
            ):
                said[f"{hostname} {address}"] = sock.getpeercert(binary_form=True).hex()
    return said


def page(address, hostname, roots):
    """What a browser that trusts the public roots would show."""
    context = ssl.create_default_context(cafile=roots)
    with (
        socket.create_connection((address, 443), PATIENCE_S) as raw,
        context.wrap_socket(raw, server_hostname=hostname) as sock,
    ):
        sock.sendall(f"GET / HTTP/1.1\r\nHost: {hostname}\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: sock.recv(4096), b"")).decode()


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](**json.loads(sys.argv[2]))))  # noqa: T201
