"""What somebody in the room does with the account of their nickname, without a store."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from prometheus_client import CollectorRegistry

from contract.follower import RecordingFollower
from contract.memory_store import MemoryChat
from fakes.accounts import NoAccounts
from fakes.encoder import PlainEncoder
from fakes.outbox import RecordingOutbox
from harness.waiting import until
from tertulia.chat.accounts import Changed, Holder, Passwords
from tertulia.chat.hashing import Busy
from tertulia.chat.operator_commands import OperatorCommands
from tertulia.chat.own_accounts import OwnAccounts
from tertulia.chat.ports import PresenceOp
from tertulia.chat.session import Session
from tertulia.chat.signing_up import AccountRules
from tertulia.dialects.contract import AccountAction, AccountAnswer, AccountOutcome
from tertulia.domain import commands
from tertulia.domain.bans import Ban, BanKind
from tertulia.domain.invitations import kept
from tertulia.domain.operator_commands import Action
from tertulia.telemetry.metrics import Metrics

OUTCOME = AccountOutcome


class Book(NoAccounts):
    """One account at most; notes what changes."""

    def __init__(self) -> None:
        self.hash: str | None = None
        self.changes: list[tuple[Action, str, str, str]] = []
        self.deleted = 0
        self.sign_up_turn = self.change_turn = 0.0
        self.answer = Changed.DONE
        self.known: set[str] = set()

    async def among(self, keys: Sequence[str]) -> set[str]:
        return self.known & {*keys}

    async def password_hash(self, key: str) -> str | None:
        return self.hash

    async def sign_up_wait(self, network: str, per_hour: int, *, take: bool) -> float:
        assert take
        return self.sign_up_turn

    async def change_wait(self, network: str, per_hour: int) -> float:
        return self.change_turn

    async def change(
        self, holder: Holder, was: str, hashed: str, invitation: str = ""
    ) -> tuple[Changed, int]:
        self.changes.append((holder.action, was, hashed, invitation))
        if self.answer is Changed.DONE:
            self.hash = hashed
        return self.answer, SINCE

    async def delete(self, holder: Holder) -> None:
        assert holder.action is Action.UNREGISTER
        self.hash = None
        self.deleted += 1


class Plain(Passwords):
    """A password is its hash; any may be held up."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.busy = False
        self.free = asyncio.Event()
        self.free.set()

    async def hash(self, password: str, address: str) -> str:
        await self.free.wait()
        if self.busy:
            raise Busy
        return password

    async def proven(
        self, key: str, password: str, address: str, wanted: Callable[[], bool] = bool
    ) -> str | None:
        return password if password == self.book.hash else None


@dataclass
class Desk:
    rules: AccountRules = field(default_factory=AccountRules)

    def __post_init__(self) -> None:
        self.book = Book()
        self.passwords = Plain(self.book)
        self.operator_commands = OperatorCommands("main")
        metrics = Metrics(CollectorRegistry(), dialects=["plain"], chats=["main"], version="x")
        loop = asyncio.get_running_loop()
        self.store = MemoryChat(loop.call_soon).node("n")
        self.follower = RecordingFollower("n")
        self.store.open(self.follower)
        self.own = OwnAccounts(
            self.store, self.book, self.passwords, self.operator_commands, self.rules, metrics
        )
        self.outbox = RecordingOutbox()
        self.session = Session(PlainEncoder(), self.outbox, "192.0.2.1", 5000)
        self.session.choose("Anna", "anna")
        self.session.ask("n:1", "token")
        self.session.activate()
        self.answers: list[AccountAnswer] = []

    async def told(self) -> list[bool | None]:
        """Return what everybody is to be told of whether the session is an account."""
        await self.store.settle()
        ops = [op for op in self.follower.ops if isinstance(op, PresenceOp)]
        assert {(op.session, op.key, op.nickname, op.away) for op in ops} <= {
            ("n:1", "anna", "Anna", None)
        }
        assert self.session.awaiting == len(ops)
        return [op.account for op in ops]

    async def do(self, command: commands.AccountCommand) -> AccountOutcome:
        count = len(self.answers)
        self.own.carry_out(self.session, command, lambda _, it: self.answers.append(it))
        await until(lambda: len(self.answers) > count, 30, "the answer")
        assert self.session.takes_commands
        return self.answers[-1].outcome


SINCE = 1_700_000_000_000


async def test_a_life() -> None:
    desk = Desk()
    book = desk.book
    assert await desk.do(commands.ChangePassword("first", "second")) is OUTCOME.NO_ACCOUNT
    assert await desk.do(commands.LogOutEverywhere()) is OUTCOME.NO_ACCOUNT
    assert await desk.do(commands.DeleteAccount("first")) is OUTCOME.NO_ACCOUNT
    assert await desk.do(commands.Register("first")) is OUTCOME.DONE
    assert (desk.session.is_account, desk.session.account) == (True, SINCE)
    assert await desk.do(commands.Register("again")) is OUTCOME.HAS_ACCOUNT
    assert await desk.do(commands.ChangePassword("wrong", "second")) is OUTCOME.WRONG_PASSWORD
    assert await desk.do(commands.ChangePassword("first", "second")) is OUTCOME.DONE
    assert await desk.do(commands.LogOutEverywhere()) is OUTCOME.DONE
    assert await desk.do(commands.DeleteAccount("first")) is OUTCOME.WRONG_PASSWORD
    assert await desk.do(commands.DeleteAccount("second")) is OUTCOME.DONE
    assert (desk.session.is_account, desk.session.account) == (False, 0)
    assert book.deleted == 1
    assert book.changes == [
        (Action.REGISTER, "", "first", ""),
        (Action.PASSWORD, "first", "second", ""),
        (Action.LOG_OUT, "second", "second", ""),
    ]
    assert await desk.told() == [True, False]


@pytest.mark.parametrize(
    ("password", "outcome"),
    [("ab", OUTCOME.TOO_SHORT), ("", OUTCOME.TOO_SHORT), ("x" * 1001, OUTCOME.TOO_LONG)],
)
async def test_passwords_have_bounds(password: str, outcome: AccountOutcome) -> None:
    desk = Desk()
    assert await desk.do(commands.Register(password)) is outcome
    assert await desk.do(commands.Register("x" * 1000)) is OUTCOME.DONE
    assert await desk.do(commands.ChangePassword("x" * 1000, password)) is outcome
    assert await desk.do(commands.ChangePassword("x" * 1000, "abc")) is OUTCOME.DONE


async def test_closed() -> None:
    desk = Desk(AccountRules(registration="closed"))
    assert await desk.do(commands.Register("secret", "code")) is OUTCOME.CLOSED
    assert desk.book.changes == []


async def test_by_invitation() -> None:
    desk = Desk(AccountRules(registration="invited"))
    assert await desk.do(commands.Register("secret")) is OUTCOME.INVITATION
    assert desk.book.changes == []
    desk.book.answer = Changed.UNINVITED
    assert await desk.do(commands.Register("secret", "AB-cd")) is OUTCOME.INVITATION
    desk.book.answer = Changed.DONE
    assert await desk.do(commands.Register("secret", "AB-cd")) is OUTCOME.DONE
    assert desk.book.changes[-1] == (Action.REGISTER, "", "secret", kept("abcd"))


async def test_where_registration_is_open_no_code_is_used_up() -> None:
    desk = Desk()
    assert await desk.do(commands.Register("secret", "code")) is OUTCOME.DONE
    assert desk.book.changes == [(Action.REGISTER, "", "secret", "")]


async def test_turns() -> None:
    desk = Desk()
    desk.book.sign_up_turn = 12.4
    assert await desk.do(commands.Register("secret")) is OUTCOME.TOO_OFTEN
    assert desk.answers[-1].seconds == 12
    desk.book.sign_up_turn = 0.0
    await desk.do(commands.Register("secret"))
    desk.book.change_turn = 0.2
    for command in (
        commands.ChangePassword("secret", "other"),
        commands.LogOutEverywhere(),
        commands.DeleteAccount("secret"),
    ):
        assert await desk.do(command) is OUTCOME.TOO_OFTEN
        assert desk.answers[-1].seconds == 1
    assert desk.book.hash == "secret"


async def test_a_nickname_with_a_ban_on_its_account_is_made_none() -> None:
    desk = Desk()
    desk.operator_commands.replace_bans([Ban(BanKind.ACCOUNT, "anna")])
    assert await desk.do(commands.Register("secret")) is OUTCOME.TAKEN


async def test_on_the_way_in_an_account_is_made_by_the_same_rules() -> None:
    asked = commands.RegisterEarly("Anna", "secret", "code")

    async def outcome(desk: Desk, asked: commands.RegisterEarly = asked) -> AccountOutcome:
        answer = await desk.own.register_early("192.0.2.1", asked)
        assert (answer.action, answer.nickname) == (AccountAction.REGISTER, asked.nickname)
        return answer.outcome

    desk = Desk()
    assert await outcome(desk, commands.RegisterEarly("a!b", "secret")) is OUTCOME.TAKEN
    assert await outcome(desk, commands.RegisterEarly("Anna", "ab")) is OUTCOME.TOO_SHORT
    desk.operator_commands.replace_bans([Ban(BanKind.ADDRESS, "192.0.2.1")])
    assert await outcome(desk) is OUTCOME.TAKEN
    desk.operator_commands.replace_bans([])
    desk.book.sign_up_turn = 12.4
    assert (await desk.own.register_early("192.0.2.1", asked)).seconds == 12
    desk.book.sign_up_turn = 0.0
    desk.passwords.busy = True
    assert await outcome(desk) is OUTCOME.BUSY
    desk.passwords.busy = False
    desk.book.answer = Changed.GONE
    assert await outcome(desk) is OUTCOME.TAKEN
    desk.book.answer = Changed.DONE
    assert await outcome(desk) is OUTCOME.DONE
    assert desk.book.changes[-1] == (Action.REGISTER, "", "secret", "")
    assert not desk.session.is_account
    assert await outcome(Desk(AccountRules(registration="closed"))) is OUTCOME.CLOSED
    invited = Desk(AccountRules(registration="invited"))
    assert await outcome(invited) is OUTCOME.DONE
    assert invited.book.changes == [(Action.REGISTER, "", "secret", kept("code"))]
    assert await outcome(invited, commands.RegisterEarly("Anna", "secret")) is OUTCOME.INVITATION


async def test_an_account_that_is_there_takes_no_turn_of_who_wants_it_anew() -> None:
    desk = Desk()
    desk.book.known = {"anna"}
    desk.book.sign_up_turn = 12.4
    answer = await desk.own.register_early("192.0.2.1", commands.RegisterEarly("Anna", "secret"))
    assert answer.outcome is OUTCOME.TAKEN


async def test_too_many_passwords_wait() -> None:
    desk = Desk()
    desk.passwords.busy = True
    assert await desk.do(commands.Register("secret")) is OUTCOME.BUSY


async def test_somebody_was_quicker() -> None:
    desk = Desk()
    desk.book.answer = Changed.TAKEN
    assert await desk.do(commands.Register("secret")) is OUTCOME.TAKEN
    assert not desk.session.is_account
    assert await desk.told() == []


async def test_nothing_else_is_taken_meanwhile_and_who_goes_reads_nothing() -> None:
    desk = Desk()
    desk.passwords.free.clear()
    desk.own.carry_out(
        desk.session, commands.Register("secret"), lambda _, it: desk.answers.append(it)
    )
    await asyncio.sleep(0)
    assert not desk.session.takes_commands
    desk.session.end()
    desk.passwords.free.set()
    await until(lambda: desk.book.changes, 30, "the change")
    assert desk.answers == []
    assert await desk.told() == []
