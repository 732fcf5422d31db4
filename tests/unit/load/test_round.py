"""One round in one process: when nothing comes any more."""

from tertulia_load import dialects
from tertulia_load.client import Client, Sockets, State
from tertulia_load.control import Send, Settle
from tertulia_load.plan import Plan
from tertulia_load.round import Round
from tertulia_load.targets import Target

HERE = Target("chatte", "localhost", "127.0.0.1", 1234)
LOOK, SECOND = 20_000, 1_000_000


def settling() -> Round:
    """Give a round that waits, from the time 0 on, for a message that nobody will get."""
    plan = Plan(targets=(HERE,), clients=2, senders=1, settle=1.0)
    sockets = Sockets()
    clients = [Client(id_, HERE, dialects.by_name("chatte", ""), sockets) for id_ in range(2)]
    it = Round(plan, 0, 0, clients, 0)
    for client in clients:
        client.begin(f"c-{client.id}")
        client.state = State.IN
    it.send(Send(0, 0.0))
    it.settle(Settle({0: 1}), 0)
    return it


def silence(it: Round, begin: int, most: int = 2 * SECOND) -> int:
    """Return how long it goes on looking, from a time on, until it gives up."""
    for now in range(begin, begin + most, LOOK):
        if it.go_on(now):
            return now - begin
    raise AssertionError("it never gave up")


def test_after_so_long_a_silence_nothing_comes_any_more() -> None:
    assert silence(settling(), 0) == SECOND


def test_time_in_which_it_did_not_run_itself_is_no_silence() -> None:
    """As where the whole machine stands still: what was under way then is under way still."""
    it = settling()
    assert it.go_on(LOOK) == []
    assert silence(it, 5 * SECOND) == SECOND
