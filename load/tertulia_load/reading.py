"""Reading one round's messages: all are counted and checked, few are taken apart.

A node writes the same bytes to all sessions of a dialect. What the first reader reads is split into messages
and put into the order (order.py); a reader that then reads the same bytes at the same place has read the same
messages, which is one look-up and one comparison. Only what differs (a sender's answers, private messages,
reads that end elsewhere, and faults) is split again, and only what is not as it should be goes one by one.

In further rooms messages always go one by one, each with the order of its room: a read brings those of
several rooms, so that hardly two readers read the same bytes.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from tertulia_load import texts
from tertulia_load.agreement import Agreement, reads_all
from tertulia_load.client import NOTHING_KNOWN, Client, Reader, State
from tertulia_load.latency import Latency
from tertulia_load.order import Order
from tertulia_load.runs import Runs
from tertulia_load.sequences import Sequences, Verdict
from tertulia_load.texts import Token

_MOST_KNOWN: Final = 256
"""Reads that are remembered. Readers of one fan-out are close together."""
_MOST_IN_ORDER: Final = 50_000
"""Messages of all rooms from which on those that all have read are forgotten."""
_ONWARD: Final = (Verdict.NEXT, Verdict.AHEAD)


class Tally(msgspec.Struct, kw_only=True):
    """What was read in a round, and what was wrong with it."""

    public: int = 0
    private: int = 0
    apart: int = 0
    """How many of these were taken apart; the others were compared with those."""
    lost: int = 0
    doubled: int = 0
    out_of_order: int = 0
    stray: int = 0
    """Messages that their reader can't have: of an earlier round, or to somebody else."""
    returned: int = 0
    """Private messages that the service reported to their sender as undeliverable."""
    answered: int = 0
    refused: int = 0
    slowed: int = 0
    """Notices that a sender is read more slowly."""
    disconnected: int = 0
    readers: int = 0
    """Clients that stayed to the end."""
    unordered: int = 0
    """Of these, whose order of messages from different senders there was nothing to compare with."""
    last: int = 0
    """When the last message was read, microseconds."""

    @property
    def delivered(self) -> int:
        """Messages read, also those with faults."""
        return self.public + self.private


class Reading:
    """What the clients of this process read in one round."""

    def __init__(
        self,
        *,
        tag: bytes,
        senders: int,
        acknowledge: bool,
        clients: Sequence[Client],
        latency: Latency,
        landed: Callable[[int, int], None],
    ) -> None:
        """Begin to read. ``landed`` is told of so many messages of a sender that arrived."""
        self.tally = Tally()
        self.farewells: Counter[str] = Counter()
        """Why the service closed connections, as far as it said so."""
        self._tag = tag
        self._senders = senders
        self._acknowledge = acknowledge
        self._clients = clients
        self._latency = latency
        self._landed = landed
        self._whisperers = {c.id: clients[i - 1].id for i, c in enumerate(clients)}
        for client in clients:
            client.private = Sequences()
        rooms: dict[int, list[Reader]] = {}
        for client in clients:
            for room, reader in client.seats.items():
                rooms.setdefault(room, []).append(reader)
        self._readers = rooms
        self.orders = {room: Order(tag, senders) for room in rooms}
        """Of each room: the lobby is 0, where there are no further ones."""
        self._agreements = {room: Agreement(self.orders[room], rooms[room]) for room in rooms}
        self._apart = set(rooms)
        """Rooms with readers out of step, if they are still there."""
        self._in_rooms = any(client.rooms for client in clients)
        self._order = self.orders.get(0, Order(tag, senders))
        self._runs: dict[bytes, Runs] = {}

    def take(self, client: Client, buffer: bytearray, count: int, now: int) -> None:
        """Take the first bytes of a buffer as what a client has just read."""
        known = client.known.get((client.at, count))
        if known is not None and not client.carry and buffer.startswith(known[0]):
            self._passed(client, known[1], now)
        else:
            self._read(client, bytes(memoryview(buffer)[:count]), now)

    def ended(self, why: str) -> None:
        """Learn that a connection is gone."""
        self.tally.disconnected += 1
        self.farewells[why] += 1

    def tidy(self) -> None:
        """Compare readers, and forget what all have read. To be called now and then."""
        self._reconcile()
        most = _MOST_IN_ORDER // max(len(self.orders), 1)
        for room, order in self.orders.items():
            if len(order.tokens) > most:
                self._agreements[room].forget()

    def _reconcile(self) -> None:
        self._apart = {room for room in self._apart if self._agreements[room].reconcile()}

    def account(self, public: Mapping[int, int], private: Mapping[int, int]) -> Tally:
        """Return the tally, by how many messages each sender has sent: all, and those of here."""
        self._reconcile()
        tally, sent = msgspec.structs.replace(self.tally), _by_room(public)
        tally.out_of_order += sum(it.disorder() for it in self._agreements.values())
        for client in self._clients:
            for account in (client.private, *(it.public for it in client.seats.values())):
                tally.doubled += account.doubled
                tally.out_of_order += account.late
            if client.state is not State.IN:
                continue
            tally.readers += 1
            tally.unordered += not all(it.is_ordered for it in client.seats.values())
            for room, reader in client.seats.items():
                tally.lost += self._lost(reader, sent.get(room, {}))
            whisperer = self._whisperers[client.id]
            tally.lost += client.private.lost({whisperer: private.get(whisperer, 0)})
        return tally

    def expected(self, public: Mapping[int, int], private: Mapping[int, int]) -> int:
        """Return how many messages there are to read for those who are there."""
        count = 0
        for room, sent in _by_room(public).items():
            total = sum(sent.values())
            for reader in self._readers.get(room, ()):
                if reader.state is State.IN:
                    count += total - (0 if reader.dialect.echoes else sent.get(reader.id, 0))
        readers = [c for c in self._clients if c.state is State.IN]
        return count + sum(private.get(self._whisperers[c.id], 0) for c in readers)

    def _lost(self, reader: Reader, public: Mapping[int, int]) -> int:
        if reader.in_step:
            return max(0, sum(public.values()) - reader.at)
        if not reads_all(reader):
            public = {sender: count for sender, count in public.items() if sender != reader.id}
        return reader.public.lost(public)

    # --- What most reads come to -----------------------------------------------------------------

    def _passed(self, client: Client, count: int, now: int) -> None:
        """Note that a reader has read the next messages of the order."""
        order, latency, tally = self._order, self._latency, self.tally
        at = client.at
        low = at - order.base
        client.at = at + count
        tally.public += count
        tally.last = now
        oldest = now - order.due[low]
        if oldest > latency.longest:
            latency.longest = oldest
        if count <= latency.until:
            latency.until -= count
        else:
            for index in latency.choose(count):
                latency.record(now - order.due[low + index])
        if self._acknowledge:
            client.write(client.dialect.acknowledgement * count)
        if client.watches >= 0 and (own := order.owners[low : low + count].count(client.watches)):
            self._landed(client.watches, own)

    def _read(self, client: Client, data: bytes, now: int) -> None:
        dialect, begun = client.dialect, bool(client.carry)
        if begun:
            data = client.carry + data
        whole = dialect.whole(data)
        is_plain = not (begun or whole.reply or whole.end < len(data))
        if not is_plain:
            client.carry = data[whole.end :]
            data = data[: whole.end]
            client.write(whole.reply)
        if client.is_sender:
            self._count_answers(client, data)
        if self._in_rooms:
            if tokens := texts.find(data):
                self._one_by_one(client, tokens, now)
        elif not client.is_ordered:
            self._by_number(client, data, now)
        elif raw := data.split(dialect.mark)[1::2]:
            self._messages(client, data, raw, now, is_plain=is_plain)
        if whole.farewell:
            client.drop()
            self.ended(whole.farewell)

    def _messages(
        self, client: Client, data: bytes, tokens: list[bytes], now: int, *, is_plain: bool
    ) -> None:
        at = client.at
        if client.in_step and self._order.follows(at, tokens):
            self.tally.apart += len(tokens)
            if is_plain and client.known is not NOTHING_KNOWN:
                if len(client.known) >= _MOST_KNOWN:
                    client.known.clear()
                client.known[at, len(data)] = data, len(tokens)
            self._passed(client, len(tokens), now)
        else:
            self._one_by_one(client, texts.find(data), now)

    def _by_number(self, client: Client, data: bytes, now: int) -> None:
        """Take what came to a reader that is in no order: all of a read at once, if nothing is missing."""
        runs = self._runs.get(data)
        apart = 0
        if runs is None:
            tokens = texts.find(data)
            runs = Runs.find(tokens, self._tag, self._senders) if tokens else None
            if runs is None:
                self._one_by_one(client, tokens, now)
                return
            if len(self._runs) >= _MOST_KNOWN:
                self._runs.clear()
            self._runs[data] = runs
            apart = len(tokens)
        if not (reads_all(client) and client.public.follow(runs.of)):
            self._one_by_one(client, texts.find(data), now)
            return
        count, latency, tally = len(runs.due), self._latency, self.tally
        tally.public += count
        tally.apart += apart
        tally.last = now
        latency.longest = max(latency.longest, now - runs.oldest)
        for index in latency.choose(count):
            latency.record(now - runs.due[index])
        if self._acknowledge:
            client.write(client.dialect.acknowledgement * count)
        for sender, _, own in runs.of:
            if sender == client.watches:
                self._landed(sender, own)

    def _count_answers(self, client: Client, data: bytes) -> None:
        self.tally.answered += sum(map(data.count, client.dialect.answers))
        if client.dialect.slowed:
            self.tally.slowed += data.count(client.dialect.slowed)
        refused = sum(map(data.count, client.dialect.refusals))
        if refused:
            self.tally.refused += refused
            self._landed(client.id, refused)  # nothing else will come of them

    # --- What is not simply next -----------------------------------------------------------------

    def _one_by_one(self, client: Client, tokens: Sequence[Token], now: int) -> None:
        tally = self.tally
        public = private = 0
        for token in tokens:
            if token.tag != self._tag:
                # Of another run it is none of ours; of an earlier round nobody may read it now.
                tally.stray += token.tag[:-1] == self._tag[:-1]
                continue
            if token.is_public:
                public += 1
                self._public(client, token)
            elif token.sender == self._whisperers[client.id]:
                private += 1
                self._private(client, token)
            elif token.sender == client.id:
                tally.returned += 1
                self._landed(client.id, 1)
                continue
            else:
                tally.stray += 1
                continue
            tally.last = now
            latency, late = self._latency, now - token.due
            latency.longest = max(latency.longest, late)
            for _ in latency.choose(1):
                latency.record(late)
        tally.public += public
        tally.private += private
        tally.apart += public + private
        if self._acknowledge:
            dialect = client.dialect
            client.write(dialect.acknowledgement * (public + private) + dialect.received(private))

    def _private(self, client: Client, token: Token) -> None:
        verdict = client.private.take(token.sender, token.number)
        if verdict is Verdict.STRAY:
            self.tally.stray += 1
        elif verdict in _ONWARD:
            self._landed(token.sender, 1 + client.private.skipped)

    def _public(self, client: Client, token: Token) -> None:
        reader = client.seats.get(token.room)
        own = token.sender == client.id and not reads_all(client)
        if reader is None or own or token.sender >= self._senders:
            self.tally.stray += 1
            return
        if reader.in_step:
            if self.orders[token.room].follows(reader.at, [token.raw]):
                reader.at += 1
                if token.sender == reader.watches:
                    self._landed(token.sender, 1)
                return
            self._agreements[token.room].fall_out(reader)
            self._apart.add(token.room)
        verdict = reader.public.take(token.sender, token.number)
        if verdict is Verdict.STRAY:
            self.tally.stray += 1
        if verdict in _ONWARD:
            if reader.is_ordered:
                reader.since.append(token.raw)
            if token.sender == reader.watches:  # what it skipped is no longer under way
                self._landed(token.sender, 1 + reader.public.skipped)


def _by_room(public: Mapping[int, int]) -> dict[int, dict[int, int]]:
    """Return how many messages each sender has sent in each room."""
    rooms: dict[int, dict[int, int]] = {}
    for voice, count in public.items():
        room = texts.room_of(voice)
        rooms.setdefault(room, {})[voice - texts.voice(0, room)] = count
    return rooms
