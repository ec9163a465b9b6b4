"""What breaks on the way: workers, servers and coordinators that die, links that are refused."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest
from nats_support import DEADLINE_S, Authority, run, server_for, setting

from kzmitm.campaign.subjects import Subjects
from kzmitm.errors import UsageError
from kzmitm.evidence.signing.keys import load_key
from kzmitm.netio import nats_queue
from kzmitm.netio.nats_keys import new_nkey
from kzmitm.netio.queue_access import Credentials, QueueError, parse_server


def command(*words: object, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "kzmitm", *map(str, words)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
    )


def worker_command(made, vantage, *more: object):
    overrides = [word for each in made.sites.overrides for word in ("--connect-to", each)]
    creds = made.server.write_credentials(made.folder / f"{vantage}.creds", vantage)
    words = ("worker", "--server", made.server.url, "--creds", creds, "--i-understand", "--rate", 1000)
    return command(
        *words, "--store", made.authority.pem, *overrides, *more, KZMITM_HOME=str(made.folder / "home")
    )


async def in_thread(event):
    assert await asyncio.to_thread(event.wait, DEADLINE_S)


def test_a_worker_killed_in_mid_job_costs_nothing(tmp_path):
    with setting(tmp_path, count=4, vantages=("a",)) as made:
        made.sites.gate.clear()

        async def work():
            async with made.coordinator() as ended:
                dying = worker_command(made, "a", "--concurrency", 2)
                await in_thread(made.sites.asked)
                dying.kill()
                dying.communicate()
                made.sites.gate.set()
                key = tmp_path / "home" / "keys" / "worker-camp.key"
                made.keys["a"] = load_key(key)
                async with made.worker("a"):
                    await ended

        run(work())
        assert sorted(made.stored("a")) == [0, 1, 2, 3]


def test_a_worker_ends_within_a_second_of_ctrl_c(tmp_path):
    with setting(tmp_path, count=2, vantages=("a",)) as made:
        made.sites.gate.clear()

        async def work():
            async with made.coordinator():
                stopped = worker_command(made, "a")
                await in_thread(made.sites.asked)
                stopped.send_signal(signal.SIGINT)
                loop = asyncio.get_running_loop()
                began = loop.time()
                _, err = await asyncio.to_thread(stopped.communicate, timeout=10)
                assert loop.time() - began < 1.5
                assert stopped.returncode == 0
                assert b"as a:" in err
                assert b"stopped; 0 results" in err

        run(work())


def test_a_server_killed_and_started_again_loses_nothing(tmp_path):
    with setting(tmp_path, count=24, vantages=("a",)) as made:

        async def work():
            async with made.coordinator() as ended, made.worker("a"):
                await made.events.until(lambda events: len(events.results) >= 6)
                made.server.kill()
                made.server.start()
                await ended

        run(work())
        assert sorted(made.stored("a")) == list(range(24))


def test_a_worker_that_was_off_line_catches_up(tmp_path):
    with setting(tmp_path, count=4, vantages=("a",)) as made:

        async def work():
            async with made.coordinator() as ended:
                await made.events.until(lambda events: "worker_absent" in events.codes("a"))
                async with made.worker("a"):
                    await ended

        run(work())
        assert sorted(made.stored("a")) == [0, 1, 2, 3]


def test_results_given_while_no_coordinator_runs_are_taken_later(tmp_path):
    with setting(tmp_path, count=6, vantages=("a",)) as made:
        made.sites.gate.clear()

        async def work():
            given = asyncio.Queue()
            async with made.worker("a", told=lambda code, _: given.put_nowait(code)):
                async with made.coordinator():
                    await in_thread(made.sites.asked)
                made.sites.gate.set()
                for _ in range(6):
                    await asyncio.wait_for(given.get(), DEADLINE_S)
            async with made.coordinator() as ended:
                await ended

        run(work())
        assert sorted(made.stored("a")) == list(range(6))
        assert set(made.sites.seen.values()) == {1}  # nothing was measured twice


def test_a_coordinator_killed_and_run_again_goes_on(tmp_path):
    with setting(tmp_path, count=12, vantages=("a",)) as made:
        made.sites.gate.clear()
        (tmp_path / "camp.toml").write_bytes(made.octets)
        creds = made.server.write_credentials(tmp_path / "coordinator.creds")
        words = ("campaign", "run", tmp_path / "camp.toml", "--out", tmp_path / "out", "--i-understand")
        more = ("--server", made.server.url, "--creds", creds, "--store", made.authority.pem)

        async def work():
            async with made.worker("a"):
                dying = command(*words, *more)
                await in_thread(made.sites.asked)
                dying.kill()
                await asyncio.to_thread(dying.communicate)
                made.sites.gate.set()
                again = command(*words, *more, "--json")
                out, err = await asyncio.to_thread(again.communicate, timeout=DEADLINE_S)
                assert again.returncode == 0, err
                assert b'"clean": 12' in out

        run(work())
        assert sorted(made.stored("a")) == list(range(12))


def refused(server, credentials, told=lambda _: None):
    async def work():
        queue = await nats_queue.open_queue(server, credentials, inbox="_INBOX_a", told=told)
        await queue.close()

    with pytest.raises(UsageError) as caught:
        run(work())
    return str(caught.value)


def test_wrong_credentials_are_refused_by_the_server(tmp_path):
    with server_for(tmp_path) as server:
        address = parse_server(server.url)
        assert "credentials" in refused(address, Credentials(nkey=new_nkey()))
        assert "credentials" in refused(address, Credentials(user="a", password="b"))


def test_a_workers_credentials_are_for_its_own_subjects_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(nats_queue, "ASK_S", 0.3)
    mine, other = Subjects("camp", "a"), Subjects("camp", "b")
    with setting(tmp_path, count=1) as made:
        heard = []

        async def work():
            async with made.coordinator():
                await made.events.until(
                    lambda events: {"a", "b"} <= {v for v, code, _ in events.notes if code == "offered"}
                )
                queue = await nats_queue.open_queue(
                    parse_server(made.server.url),
                    made.server.credentials("a"),
                    inbox=mine.inbox,
                    told=heard.append,
                )
                for subject in (other.result, other.work, mine.work, other.next_work):
                    with pytest.raises(QueueError):
                        await queue.put(subject, b"{}", "1")
                for question in (
                    queue.forget(mine.work_stream, mine.work),
                    queue.backlog(other.result_stream, "coordinator"),
                    queue.keep_consumer(
                        mine.work_stream, "b", other.work, ack_wait_s=1, max_deliver=1, most=1
                    ),
                ):
                    with pytest.raises(QueueError):
                        await question
                box = await queue.mailbox(other.work_stream, "b")
                assert await box.take(1, 0.3) == []
                # The server's answers, too, stay among one's own: nothing of them reaches another's subject.
                await queue._client.publish(mine.result, b"x", reply=other.result)
                await queue._client.publish(mine.next_work, b'{"batch":5}', reply=other.result)
                await queue._client.flush()
                boss = await made.server.queue()
                found = await boss._stream.stream_info(other.result_stream)
                assert found.state.messages == 0
                await queue.close()
                await boss.close()

        run(work())
        assert any(each.startswith("forbidden: ") for each in heard)


def test_a_server_whose_authority_is_not_ours_is_not_spoken_to(tmp_path):
    (tmp_path / "pki").mkdir()
    genuine, other = Authority(tmp_path / "pki"), Authority(tmp_path / "pki", "Other Root")
    tls = genuine.leaf("127.0.0.1")
    with server_for(tmp_path, tls=tls) as server:
        good = parse_server(server.url, ca_file=genuine.pem)

        async def work():
            queue = await nats_queue.open_queue(
                good, server.credentials("a"), inbox="_INBOX_a", told=lambda _: None
            )
            await queue.close()

        run(work())
        bad = parse_server(server.url, ca_file=other.pem)
        assert "not trusted" in refused(bad, server.credentials("a"))
        assert "not trusted" in refused(parse_server(server.url), server.credentials("a"))


def test_a_server_that_takes_tls_away_hears_no_word_of_ours(tmp_path):
    heard = bytearray()
    listener = socket.create_server(("127.0.0.1", 0))

    def pretend():
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b'INFO {"server_id":"x","version":"2.9.10","headers":true,"nonce":"n"}\r\n')
            while chunk := connection.recv(4096):
                heard.extend(chunk)

    pretender = threading.Thread(target=pretend)
    pretender.start()
    address = parse_server(f"tls://127.0.0.1:{listener.getsockname()[1]}")
    assert "no TLS" in refused(address, Credentials(nkey=new_nkey()))
    pretender.join(DEADLINE_S)
    assert heard == b""
    listener.close()


@pytest.mark.parametrize(
    "text",
    ["nats://192.0.2.1:4222", "nats://example.org", "http://x", "tls://", "tls://u:p@h", "tls://h:99999"],
)
def test_servers_that_cannot_be(text):
    with pytest.raises(UsageError):
        parse_server(text)


def test_a_server_without_room_is_told_of_and_can_be_left(tmp_path):
    with setting(tmp_path, count=1, vantages=("a",), max_store=1 << 20) as made:

        async def work():
            async with made.coordinator():
                await made.events.until(lambda events: "server_refuses" in events.codes("a"))

        run(work())
        assert "insufficient" in next(
            detail for _, code, detail in made.events.notes if code == "server_refuses"
        )


def test_a_result_that_the_server_never_takes_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr("kzmitm.campaign.work.WorkResult.encoded", lambda _: b"x" * (2 << 20))
    heard = []
    with setting(tmp_path, count=1, vantages=("a",)) as made:

        async def work():
            hear = lambda code, _: heard.append(code)  # noqa: E731
            async with made.coordinator(ack_wait_s=0.4) as ended, made.worker("a", told=hear):
                await ended

        run(work())
        assert {each.state for each in made.stored("a").values()} == {"failed"}
        assert set(heard) == {"too_long"}
