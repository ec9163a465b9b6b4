"""The decisions of the inline interceptor: packets in, actions out, without a kernel or a clock."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interceptor_segments import (
    CLIENT,
    MSS,
    PORT,
    SACK,
    SCALE,
    SERVER,
    from_client,
    hello_of,
    ip4,
    stamps,
    synack,
    tcp,
)

from kzmitm.lab.interceptor.actions import FlowKey, Inquire, Left, Settle, TakeOver, Treatment
from kzmitm.lab.interceptor.flow import MAX_HELD, Policy, agreed
from kzmitm.lab.interceptor.packets import ACK, FIN, RST, SYN, Options, parse_segment
from kzmitm.lab.interceptor.table import IDLE_S, FlowTable
from kzmitm.lab.interceptor.takeover import TIMESTAMP_LEAD, first_timestamp
from kzmitm.lab.interceptor.watch import Watch

HELLO = hello_of("social.lab.test")
OTHER = hello_of("news.lab.test")
KEY = FlowKey(CLIENT, PORT, SERVER, 443)
OURS, THEIRS = 2**32 - 50, 7000
"""Initial sequence numbers; the client's wraps within its hello."""

PASS, FRESH, LEAVE, LOCAL, DISCARD = Treatment


class Play:
    """A table to which a connection's packets are shown; packets are numbered from 1."""

    def __init__(self, *, asks_origin=True, **limits):
        self.table = FlowTable(Policy(Watch.of(["social.lab.test"]), asks_origin), **limits)
        self.number = 0
        self.reasons = []
        self.now = 100.0

    def show(self, packet):
        self.number += 1
        actions = self.table.packet(self.number, packet, self.now)
        self.reasons += [action.why for action in actions if isinstance(action, Left)]
        return [action for action in actions if not isinstance(action, Left)]

    def syn(self, first=OURS, port=PORT, **kwargs):
        return self.show(from_client(SYN, first, port=port, **kwargs))

    def synack(self, port=PORT):
        return self.show(synack(THEIRS, OURS + 1, MSS + SACK + stamps(900, 1), port=port))

    def open(self, port=PORT):
        self.syn(port=port, options=MSS + SACK + SCALE + stamps(1, 0))
        self.synack(port=port)
        return self

    def data(self, at, payload, flags=ACK, port=PORT):
        packet = from_client(flags, OURS + 1 + at, THEIRS + 1, payload, stamps(2, 950), port=port)
        return self.show(packet)

    def only(self, actions):
        """The treatment of the packet that was shown last, if that is all."""
        assert actions == [Settle(self.number, actions[0].treatment)]
        return actions[0].treatment


def test_a_watched_hello_is_held_until_the_origin_was_asked():
    play = Play()
    assert play.only(play.syn(options=MSS)) is FRESH
    assert play.only(play.synack()) is PASS
    assert play.only(play.data(0, b"")) is PASS
    assert play.only(play.data(0, HELLO[:70])) is PASS
    (asked,) = play.data(70, HELLO[70:])
    assert isinstance(asked, Inquire)
    assert (asked.key, asked.hello.sni) == (KEY, "social.lab.test")
    assert play.data(70, HELLO[70:]) == play.data(len(HELLO), b"early") == []
    (taken,) = play.table.answered(KEY, is_valid=True)
    assert isinstance(taken, TakeOver)
    assert (taken.number, taken.held) == (5, (6, 7))
    plan = taken.plan
    assert (plan.octets, plan.send_next, plan.window) == (HELLO, THEIRS + 1, 500)
    assert plan.receive_next == (OURS + 1 + len(HELLO)) % 2**32
    reset = parse_segment(taken.reset)
    assert (reset.sequence, reset.flags) == ((OURS + 71) % 2**32, RST | ACK)
    assert play.only(play.data(0, HELLO)) is LOCAL
    assert play.only(play.data(9, b"", RST)) is LOCAL
    assert play.only(play.synack()) is DISCARD
    assert play.table.octets == 0


def test_without_asking_it_is_taken_at_once():
    (taken,) = Play(asks_origin=False).open().data(0, HELLO)
    assert isinstance(taken, TakeOver)


def test_where_the_origin_is_not_valid_all_goes_on_in_order():
    play = Play().open()
    play.data(100, HELLO[100:])
    play.data(0, HELLO[:100])
    play.data(len(HELLO), b"more")
    assert play.table.answered(KEY, is_valid=False) == [Settle(4, LEAVE), Settle(5, LEAVE)]
    assert len(play.table) == play.table.octets == 0
    assert play.table.answered(KEY, is_valid=True) == []
    assert play.only(play.data(0, HELLO)) is LEAVE


def test_the_reset_has_the_number_that_the_server_expects_whatever_came_early():
    play = Play(asks_origin=False).open()
    play.data(200, HELLO[200:])
    play.data(0, HELLO[:50])
    (taken,) = play.data(50, HELLO[50:210])
    assert parse_segment(taken.reset).sequence == (OURS + 51) % 2**32
    assert taken.plan.octets == HELLO


@pytest.mark.parametrize(
    ("at", "payload", "flags", "why"),
    [
        (0, OTHER, ACK, "'news.lab.test' is not watched"),
        (0, hello_of(None), ACK, "None is not watched"),
        (0, b"GET / HTTP/1.1\r\n\r\n", ACK, "not a ClientHello"),
        (0, HELLO, ACK | FIN, "it ended early"),
        (0, b"", RST, "it ended early"),
        (40_000, b"far", ACK, "too much came"),
    ],
    ids=["unwatched", "nameless", "http", "fin", "rst", "far"],
)
def test_what_is_left_alone(at, payload, flags, why):
    play = Play().open()
    assert play.only(play.data(at, payload, flags)) is LEAVE
    assert play.reasons == [why]
    assert len(play.table) == play.table.octets == 0
    assert play.only(play.data(0, HELLO)) is LEAVE


def test_a_server_that_spoke_first_is_left_alone():
    play = Play().open()
    assert play.only(play.show(from_client(ACK, OURS + 1, THEIRS + 20, HELLO))) is LEAVE


def test_without_the_answer_to_the_syn_nothing_can_be_taken_over():
    play = Play()
    play.syn()
    assert play.only(play.data(0, HELLO)) is LEAVE


def test_a_syn_with_data_is_left_alone():
    play = Play()
    assert play.only(play.show(from_client(SYN, OURS, payload=HELLO))) is LEAVE
    assert len(play.table) == 0


def test_what_is_not_https_or_not_tcp_passes():
    play = Play()
    assert play.only(play.show(b"\x45")) is PASS
    assert play.only(play.show(ip4(CLIENT, SERVER, tcp(1, 80, SYN, 5)))) is PASS
    assert play.only(play.show(synack(1, 2))) is PASS


def test_a_repeated_syn_keeps_the_connection_and_a_new_one_replaces_it():
    play = Play().open()
    play.data(0, HELLO[:70])
    assert play.only(play.syn()) is FRESH
    assert isinstance(play.data(70, HELLO[70:])[0], Inquire)
    held = play.number
    replaced = play.syn(first=5)
    assert replaced == [Settle(held, LEAVE), Settle(play.number, FRESH)]
    assert play.table.answered(KEY, is_valid=True) == []
    assert play.table.octets == 0


def test_what_is_held_of_one_connection_is_bounded():
    play = Play().open()
    play.data(0, HELLO)
    assert all(play.data(len(HELLO), b"x") == [] for _ in range(MAX_HELD))
    assert play.only(play.data(len(HELLO), b"x")) is DISCARD


def test_idle_connections_are_forgotten_and_what_they_hold_goes_on():
    play = Play().open()
    play.data(0, HELLO)
    play.now += IDLE_S / 2
    play.open(port=PORT + 1)
    play.data(0, HELLO[:70], port=PORT + 1)
    assert play.table.expire(play.now) == []
    play.now += IDLE_S / 2
    assert play.table.expire(play.now) == [Settle(3, LEAVE)]
    assert (len(play.table), play.table.octets) == (1, 70)
    play.now += IDLE_S / 2
    assert play.table.expire(play.now) == []
    assert (len(play.table), play.table.octets) == (0, 0)


def test_table_is_bounded_in_number_and_octets():
    play = Play(max_flows=3, max_octets=1000)
    for port in range(1, 6):
        play.open(port=port)
    assert len(play.table) == 3
    play.data(0, HELLO[:-1], port=3)
    play.data(0, HELLO[:-1], port=4)
    assert play.table.octets <= 1000
    assert play.only(play.data(0, b"", port=3)) is LEAVE


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 600), st.integers(0, 600)), max_size=40))
def test_every_packet_is_settled_once_and_nothing_is_kept_in_the_end(steps):
    play = Play(max_flows=2, max_octets=1500)
    settled = []

    def note(actions):
        for action in actions:
            match action:
                case Settle(number, _):
                    settled.append(number)
                case TakeOver(number, _, held, _):
                    settled.extend((number, *held))
                case Inquire():
                    pass

    for kind, start, end in steps:
        port = PORT + kind % 3
        match kind // 3:
            case 0:
                note(play.syn(port=port, first=OURS + start % 2))
            case 1:
                note(play.synack(port=port))
            case 2 | 3:
                flags = ACK | (FIN if start == 599 else 0)
                note(play.data(start, HELLO[start:end], flags, port=port))
            case _:
                note(play.table.answered(KEY._replace(client_port=PORT + start % 3), is_valid=end % 2 == 0))
    note(play.table.expire(play.now + IDLE_S))
    assert sorted(settled) == list(range(1, play.number + 1))
    assert len(play.table) == play.table.octets == 0


@given(st.sets(st.integers(1, len(HELLO) - 1), max_size=30), st.randoms())
def test_in_any_order_the_hello_never_reaches_the_server_whole(cuts, rng):
    bounds = [0, *sorted(cuts), len(HELLO)]
    pieces = list(pairwise(bounds))
    rng.shuffle(pieces)
    play = Play(asks_origin=False).open()
    passed = set()
    for start, end in pieces:
        (action,) = play.data(start, HELLO[start:end])
        if isinstance(action, TakeOver):
            assert action.plan.octets == HELLO
            break
        assert action.treatment is PASS
        passed |= set(range(start, end))
    else:
        pytest.fail("it was never taken over")
    assert len(passed) < len(HELLO)


def test_options_in_force_are_those_of_both():
    client = Options(1400, 7, sack=True, timestamps=(1, 0))
    assert agreed(client, Options(1460, None, sack=False, timestamps=(900, 1))) == Options(
        1400, timestamps=(900, 1)
    )
    assert agreed(client, Options(window_scale=2, sack=True)) == Options(1400, 7, sack=True)
    assert agreed(Options(), Options(1460, 7, sack=True, timestamps=(1, 2))) == Options()


@pytest.mark.parametrize("of_synack", [0, 900, 2**32 - 1500])
def test_timestamps_never_go_back(of_synack):
    (taken,) = Play(asks_origin=False).open().data(0, HELLO)
    echoed = taken.plan.echoed
    assert echoed == 950
    found = first_timestamp(taken.plan, of_synack, now=102.0)
    latest = max(of_synack + 2000, echoed) if of_synack < 2**31 else of_synack + 2000
    ahead = (found - latest) % 2**32
    assert found % 2 == 0
    assert TIMESTAMP_LEAD - 1 <= ahead <= TIMESTAMP_LEAD + 1200
