"""One chat of a person, from ``chat NAME`` until it is over: with the service, then with peers."""

import asyncio
import contextlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tertulia.clients.device import notices
from tertulia.clients.device.account import Account
from tertulia.clients.device.downloads import CannotShare, read_to_share
from tertulia.clients.device.effects import Came, Over, PartnerSaid, Told
from tertulia.clients.device.live_chat import LiveChat
from tertulia.clients.device.locating import locate
from tertulia.clients.device.operations import (
    NoPort,
    PeerCame,
    add_user,
    enter_chat,
    leave_chat,
    online_users,
    show,
    show_before_writing,
    wait_for_peer,
)
from tertulia.clients.device.peer import (
    ADDING,
    CLASSIC_BYTES,
    CLASSIC_FILE_BYTES,
    MAX_MEMBERS,
    SHARE,
    File,
    Partner,
    Spoken,
)
from tertulia.clients.device.peer_sockets import PeerSockets
from tertulia.clients.device.service_calls import Call, HungUp, Service, ServiceError
from tertulia.clients.device.terminal import Terminal
from tertulia.clients.device.transcript import Transcript
from tertulia.clients.device.wire import QUIT, string
from tertulia.dialects.lines import MAX_LINE
from tertulia.domain import nicknames

_NAMED = 3
LEAVE_SECONDS = 4.0
"""For the service and the peers to be told that I go."""
SETTLE_SECONDS = 2.0
"""For the other members of a group to take me in before I say something."""
BROKEN_SECONDS = 10.0
BROKEN_TRIES = 3
"""Connections to the service that may break so soon after they were made, before the chat ends."""


class Conversation:
    """Lines typed in a chat go in; it ends by itself, or by ``leave``."""

    def __init__(
        self,
        account: Account,
        port: int,
        partner: str,
        service: Service,
        sockets: PeerSockets,
        terminal: Terminal,
        *,
        classic: bool = False,
    ) -> None:
        """``classic``: its partners are old programs."""
        self.partner = partner
        self._account = account
        self._me = account.name
        self._service = service
        self._sockets = sockets
        self._terminal = terminal
        self._transcript = Transcript(account, partner, terminal)
        self._live = LiveChat(Partner(self._me, port), partner, classic=classic)
        self._classic = classic
        self._waiting: Call | None = None
        self._ready = asyncio.Event()
        self._here = asyncio.Event()
        self._settled = asyncio.Event()
        self._over = asyncio.Event()
        self._met = False
        self._leaving = False
        self._held: list[Told] | None = None
        self._adding: set[asyncio.Task[None]] = set()
        self._task = asyncio.create_task(self._run())

    @property
    def prompt(self) -> str:
        """Who reads what is typed."""
        if self._waiting is not None:
            return f"[{self.partner}, away] "
        first, more = self._live.members[:_NAMED], len(self._live.members[_NAMED:])
        return f"[{', '.join(first)}{f' +{more}' if more else ''}] " if first else "[…] "

    @property
    def task(self) -> asyncio.Task[None]:
        """Done once the chat is over and the service knows."""
        return self._task

    async def ready(self) -> None:
        """Wait until lines can be taken, or will not be."""
        await self._ready.wait()

    async def take(self, line: str) -> None:
        """Take a line that the person typed."""
        await self._ready.wait()
        command, _, argument = line.strip().partition(" ")
        adds = command == r"\a" or command.startswith(ADDING)
        if self._over.is_set():
            if command and not command.startswith(QUIT):
                self._terminal.note(f"The chat is over; not sent: {line}")
        elif command.startswith(QUIT):
            self._terminal.echo(line)
            await self.leave()
        elif adds and argument.strip():
            self._terminal.echo(line)
            adding = asyncio.create_task(self._add(argument.strip()))
            self._adding.add(adding)  # the chat goes on meanwhile
            adding.add_done_callback(self._adding.discard)
        elif adds:
            self._terminal.echo(line)
            await self._add("")
        elif command == SHARE.strip():
            self._terminal.echo(line)
            self._share(argument.strip())
        elif line.strip():
            self._say(line)

    async def leave(self) -> None:
        """End the chat for me, in order, and never wait for long."""
        self._leaving = True
        if self._waiting is not None:
            self._waiting.send(string(QUIT))
            self._waiting.end()
        elif self._met:
            self._sockets.carry_out(self._live.leave())
            self._finish()
        else:
            self._task.cancel()
        await asyncio.wait([self._task], timeout=LEAVE_SECONDS)
        self._task.cancel()

    # From beginning to end

    async def _run(self) -> None:
        self._sockets.attach(self._live, partial(locate, self._service, self._me), self._learn)
        self._show_prompt()
        try:
            self._transcript.show_history()
            if await self._meet():
                await self._talk()
        except ServiceError as error:
            self._terminal.note(str(error))
        finally:
            self._finish()
            for adding in self._adding:
                adding.cancel()
            self._sockets.detach()
            if self._met:
                await self._tell_service()

    async def _meet(self) -> bool:
        """Enter the chat with the service, and return once the partner is there too."""
        broken = 0
        while True:
            call, answer = await self._service.open(lambda: enter_chat(self._me, self.partner))
            if answer == NoPort.UNKNOWN:
                await call.close()
                self._terminal.note(f"There is no account {self.partner}.")
                return False
            if answer != NoPort.OFFCHAT:
                await call.close()
                return self._meets(answer, dial=True)
            since = _now()
            came = await self._wait(call)
            if came is not None:
                return self._meets(came.port, dial=False)
            if self._leaving:
                return False
            broken = broken + 1 if _now() - since < BROKEN_SECONDS else 1
            if broken == BROKEN_TRIES:
                raise HungUp(f"The connection broke {broken} times; the chat is over.")
            self._terminal.note(
                "The connection to the service broke: what you wrote last may be lost. Trying again …"
            )

    def _meets(self, port: int, *, dial: bool) -> bool:
        self._met = True
        if self._leaving:
            return False
        if dial:
            self._held = []  # what is said before what is pending has been shown
            self._sockets.carry_out(self._live.dial(port, _now()))
        else:
            self._sockets.carry_out(self._live.expect(port, _now()))
        return True

    async def _wait(self, call: Call) -> PeerCame | None:
        """Write pending messages until the partner comes. None where the connection ended before."""
        came: PeerCame | None = None
        try:
            shown = await call.do(show_before_writing(self._me, self.partner))
            if isinstance(shown, PeerCame):
                came = shown
                return came
            self._transcript.show_pending(shown)
            self._terminal.note(notices.waiting(self.partner))
            self._waiting = call
            self._show_prompt()
            self._ready.set()
            came = await call.do(wait_for_peer(), for_ever=True)
            return came
        except HungUp:
            return None
        finally:
            self._waiting = None
            if not self._leaving:
                self._ready.clear()
            # A service that dies may close, too, and it will not have learnt that I did.
            if await call.close() and (came is not None or self._leaving):
                self._account.confirm(self.partner)

    async def _talk(self) -> None:
        await self._here.wait()
        if self._held is not None:
            await self._show_pending()
            held, self._held = self._held, None
            for effect in held:
                self._learn(effect)
        # Not for long: one member that can't be reached keeps nobody from talking to the others.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_SECONDS):
                await self._settled.wait()
        self._show_prompt()
        self._ready.set()
        await self._over.wait()

    async def _show_pending(self) -> None:
        """Show what the partner wrote before I came: it reads as if it had been here all along."""
        if not self._live.members:
            return
        try:
            call, pending = await self._service.open(lambda: show(self._me, self.partner))
            self._transcript.show_pending(pending)
            if await call.close():
                self._account.confirm(self.partner)
        except ServiceError:
            self._terminal.note(f"What {self.partner} wrote before can't be had now; later: show.")

    async def _tell_service(self) -> None:
        try:
            await self._service.call(lambda: leave_chat(self._me), patient=not self._leaving)
        except ServiceError:
            self._terminal.note("The service could not be told that you left the chat.")

    def _finish(self) -> None:
        for event in (self._over, self._here, self._settled, self._ready):
            event.set()

    # What the person does

    def _say(self, text: str) -> None:
        size = len(text.encode())
        if size > MAX_LINE:
            self._terminal.note(f"Not sent: {size} bytes, and {MAX_LINE} are the most.")
        elif self._waiting is not None:
            self._waiting.send(string(text))
            self._transcript.said(text, delivered=False)
        elif self._live.members:
            self._sockets.carry_out(self._live.say(text))
            self._transcript.said(text, delivered=True)
        else:
            self._terminal.note(f"Nobody is here yet; not sent: {text}")

    def _share(self, name: str) -> None:
        if not name:
            self._terminal.note("share FILE")
            return
        if not self._live.members:
            self._terminal.note("Files go only to who is here.")
            return
        try:
            own_name, content = read_to_share(Path(name).expanduser())
        except (CannotShare, RuntimeError, ValueError) as error:  # ~nobody; a NUL
            self._terminal.note(f"Not sent: {error}.")
            return
        if self._classic and (
            len(SHARE.encode() + own_name) > CLASSIC_BYTES or len(content) > CLASSIC_FILE_BYTES
        ):
            self._terminal.note(
                f"Not sent: old programs have room for {CLASSIC_BYTES - len(SHARE)} bytes of a name and "
                f"{CLASSIC_FILE_BYTES} of a file."
            )
            return
        self._sockets.carry_out(self._live.share(own_name, content))
        self._terminal.note(f"Sent: {name}, {len(content)} bytes.")

    async def _add(self, name: str) -> None:
        if not self._live.members:
            self._terminal.note(f"Wait until {self.partner} is here.")
            return
        if len(self._live.members) + 1 >= MAX_MEMBERS:
            self._terminal.note(f"A chat holds {MAX_MEMBERS}.")
            return
        try:
            added = await self._run_add(name)
        except ServiceError as error:
            self._terminal.note(str(error))
            return
        if added and not self._over.is_set():
            self._sockets.carry_out(self._live.invite(added, _now()))
            self._terminal.note(f"{added} comes in by typing: chat {self._me}")

    async def _run_add(self, name: str) -> str:
        """Run operation 20 and return who was added; empty where nobody was."""
        call, online = await self._service.open(online_users)
        try:
            name = name or await self._choose(online)
            if not nicknames.is_valid(name):
                self._terminal.note("Nobody was added.")
                return ""
            try:
                added = await call.do(add_user(name, self._me))
            except HungUp:  # it does not wait for long while a person chooses
                call, _ = await self._service.open(online_users)
                added = await call.do(add_user(name, self._me))
        finally:
            await call.close()
        if not added:
            self._terminal.note(f"{name} is not online.")
        return name if added else ""

    async def _choose(self, online: Sequence[str]) -> str:
        here = {nicknames.fold(name) for name in (self._me, *self._live.members)}
        others = [name for name in online if nicknames.fold(name) not in here]
        if not others:
            self._terminal.note("Nobody else is online.")
            return ""
        self._terminal.note(notices.online(others))
        return (await self._terminal.ask("Add whom? ")).strip()

    # What comes

    def _learn(self, effect: Told) -> None:
        if isinstance(effect, Over):
            self._finish()
        elif self._live.members:
            self._here.set()
        if self._live.settled:
            self._settled.set()
        if self._held is not None:
            self._held.append(effect)
            return
        match effect:
            case Came(name=name) if nicknames.fold(name) == nicknames.fold(self.partner):
                # A device shows what is pending when it comes.
                self._transcript.mark_delivered()
                self._terminal.note(notices.came(effect))
            case PartnerSaid(name=name, event=Spoken(text=text)):
                self._transcript.heard(name, text)
            case PartnerSaid(name=name, event=File() as file):
                self._transcript.receive(name, file)
            case Over(came=came):
                if not self._leaving:
                    self._terminal.note(notices.over(self.partner, came=came))
            case _:
                self._terminal.note(notices.told(effect))
        self._show_prompt()

    def _show_prompt(self) -> None:
        if not self._over.is_set():
            self._terminal.prompt = self.prompt


def _now() -> float:
    return asyncio.get_running_loop().time()
