"""A TCP client made of single packets, to send a hello in ways that no kernel would."""

import select
import socket

from interceptor_net import SERVERS, run
from scapy.layers.inet import IP, TCP, fragment
from scapy.packet import Raw

CLIENT = "10.99.1.2"
OPTIONS = [("MSS", 1400), ("SAckOK", b""), ("Timestamp", (1000, 0)), ("NOP", None), ("WScale", 5)]


def keep_quiet():
    """The kernel at the client must not reset connections that it knows nothing of."""
    run("iptables", "-A", "OUTPUT", "-p", "tcp", "--tcp-flags", "RST", "RST", "-j", "DROP")


class RawClient:
    def __init__(self, port, first=1_000_000, options=OPTIONS, syns=1):
        self.port, self.first, self.options = port, first, options
        self.out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.incoming = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
        for _ in range(syns):
            self.send("S", self.first, options=options)
        synack = self.receive(lambda tcp: tcp.flags.S)
        self.theirs = (synack.seq + 1) % (1 << 32)
        self.echoed = dict(synack.options).get("Timestamp", (0, 0))[0]
        self.send("A", self.at(0), options=self.stamp())

    def at(self, offset):
        return (self.first + 1 + offset) % (1 << 32)

    def stamp(self):
        return [("Timestamp", (2000, self.echoed))] if self.echoed else []

    def send(self, flags, sequence, payload=b"", options=(), size=None):
        packet = IP(src=CLIENT, dst=SERVERS[4], id=self.port) / TCP(
            sport=self.port, dport=443, flags=flags, seq=sequence, window=64_000, options=list(options),
            ack=self.theirs if "A" in flags else 0,
        )  # fmt: skip
        packet = packet / Raw(payload) if payload else packet
        for one in [packet] if size is None else fragment(packet, fragsize=size):
            self.out.sendto(bytes(one), (SERVERS[4], 0))

    def piece(self, hello, start, end, size=None):
        """Octets of the hello in their place."""
        self.send("PA", self.at(start), hello[start:end], self.stamp(), size)

    def receive(self, is_wanted):
        while select.select([self.incoming], [], [], 10)[0]:
            tcp = IP(self.incoming.recv(65_536))[TCP]
            if tcp.dport == self.port and is_wanted(tcp):
                return tcp
        raise TimeoutError

    def answer(self):
        """The first octets of the server, what they acknowledge, and their timestamps."""
        tcp = self.receive(lambda tcp: bool(tcp.payload))
        assert tcp.seq == self.theirs
        return bytes(tcp.payload), tcp.ack, dict(tcp.options).get("Timestamp")
