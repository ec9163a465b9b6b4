"""Network namespaces for tests, of which the rest of the computer sees nothing.

A test runs in a thread that has gone into a new network and a new tree of mounts, whose /run and /etc are
its own.
"""

import errno
import os
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kzmitm.netio.links import _inside

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make network namespaces")

_CLONE_NEWNS = 0x20000


def run(words: str) -> None:
    """Run a command in the namespace of the calling thread."""
    subprocess.run(words.split(), check=True)


def in_new_namespace(call: Callable[[], Any]) -> Any:
    """The result of `call` in a thread with an empty network."""
    result: list[Any] = []
    failure: list[BaseException] = []

    def live() -> None:
        try:
            assert _inside.libc().unshare(_inside.CLONE_NEWNET | _CLONE_NEWNS) == 0
            run("mount --make-rprivate /")
            for folder in ("/run", "/etc"):
                run(f"mount -t tmpfs none {folder}")
            run("ip link set lo up")
            result.append(call())
        except BaseException as exc:  # noqa: BLE001 - raised again below
            failure.append(exc)

    thread = threading.Thread(target=live)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]


def join(near: str, far: str, number: int) -> None:
    """A cable between a device here and one in the namespace `far`, addresses 10.N.0.1 and 10.N.0.2."""
    run(f"ip link add {near} type veth peer name {near} netns {far}")
    for where, host in (("", 1), (f"-n {far}", 2)):
        run(f"ip {where} address add 10.{number}.0.{host}/24 dev {near}")
        run(f"ip {where} address add fd00:{number}::{host}/64 dev {near} nodad")
        run(f"ip {where} link set {near} up")


def far_side(name: str = "far", device: str = "up") -> None:
    """A namespace called `name`, joined to here by `up0` and `up1`; beyond both lies 10.9.0.1.

    By itself this computer takes `up0`.
    """
    run(f"ip netns add {name}")
    run(f"ip -n {name} link set lo up")
    run(f"ip -n {name} address add 10.9.0.1/32 dev lo")
    run(f"ip -n {name} address add fd00:9::1/128 dev lo nodad")
    for number in (7, 8):
        near = f"{device}{number - 7}"
        join(near, name, number)
        run(f"ip route add 10.9.0.1 via 10.{number}.0.2 dev {near} metric {number}")
        run(f"ip -6 route add fd00:9::1 via fd00:{number}::2 dev {near} metric {number}")


def wait_for_ipv6() -> None:
    """Return when it works on both cables: the kernel wants a moment for what it does unasked."""
    for device in (b"up0", b"up1"):
        answer: int | None = None
        while answer != errno.ECONNREFUSED:
            with socket.socket(socket.AF_INET6) as sock:
                sock.settimeout(0.05)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device)
                answer = sock.connect_ex(("fd00:9::1", 1))


def resolver_is(address: str, file: str = "/etc/resolv.conf") -> None:
    """Write the name server into a file, making its folder."""
    path = Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"nameserver {address}\n")
