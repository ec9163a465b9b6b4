"""How the console begins and ends."""

import socket
import threading
import time
from urllib.parse import urlsplit

import console_lab as here
import pytest
from console_client import ask, order

from kzmitm.errors import KzmitmError, UsageError
from kzmitm.lab.console import serve

ENDS_WITHIN_S = 1.0


@pytest.fixture
def session():
    return here.FakeSession()


def test_it_ends_at_once_whatever_is_open(session):
    session.hold.clear()
    stop, there, urls = threading.Event(), threading.Event(), []
    more = {"announce": lambda url: (urls.append(urlsplit(url)), there.set()), "stop": stop}
    thread = threading.Thread(target=serve, args=(session,), kwargs={"token": here.TOKEN, **more})
    thread.start()
    there.wait()
    base = urls[0]
    order(base, "scan", {"sites": []})
    version = ask(base, base.path + "state")[2]["version"]
    head = f"Host: {base.netloc}\r\nOrigin: http://{base.netloc}\r\nContent-Type: application/json\r\n"
    requests = (
        f"GET {base.path}state?after={version + 100} HTTP/1.1\r\n{head}\r\n",
        f"POST {base.path}on HTTP/1.1\r\n{head}Content-Length: 100\r\n\r\n",
        f"GET {base.path}state HTTP/1.1\r\n",
        "",
    )
    clients = [socket.create_connection((base.hostname, base.port)) for _request in requests]
    for client, request in zip(clients, requests, strict=True):
        client.sendall(request.encode())
    ask(base, base.path)  # comes after them
    begun = time.monotonic()
    stop.set()
    thread.join()
    took = time.monotonic() - begun
    session.hold.set()
    for client in clients:
        client.close()
    assert took < ENDS_WITHIN_S
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((base.hostname, base.port))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"host": "0.0.0.0"}, "this computer only"),
        ({"host": "192.0.2.1"}, "this computer only"),
        ({"host": "somewhere"}, "not an address"),
        ({"token": "short"}, "token"),
        ({"token": "a/token/with/slashes"}, "token"),
        ({"port": 70_000}, "cannot listen"),
    ],
)
def test_what_cannot_be_served_is_a_line(session, more, said):
    with pytest.raises(UsageError, match=said):
        serve(session, **{"token": here.TOKEN, "announce": print, "stop": threading.Event()} | more)


def test_a_port_that_is_taken_is_said(session):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UsageError, match="cannot listen"):
        serve(session, port=taken.getsockname()[1], token=here.TOKEN, announce=print)


def test_without_its_packages_it_says_how_to_get_them(session, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "uvicorn", None)
    with pytest.raises(KzmitmError) as caught:
        serve(session, token=here.TOKEN, announce=print)
    assert "kzmitm[lab]" in caught.value.hint


def test_it_serves_on_the_other_loopback_as_well(session):
    with here.console(session, host="::1") as url:
        base = urlsplit(url)
        assert ask(base, base.path)[0] == 200
