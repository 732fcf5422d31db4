"""Makes an account of one's nickname, changes its password, deletes it."""

from collections.abc import Callable

from textual import on
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input, Static

from tertulia.clients.chat import words
from tertulia.clients.chat.changes import AccountAnswered
from tertulia.clients.chat.screen.dialogs import ClosedByEsc
from tertulia.clients.chat.talk import Talk


class AccountDialog(ClosedByEsc):
    """What can be done about an account. Passwords are seen by nobody, and forgotten with the dialog."""

    def __init__(self, talk: Talk, poke: Callable[[], None]) -> None:
        super().__init__()
        self._talk = talk
        self._poke = poke
        self._is_underway = False

    def compose(self) -> ComposeResult:
        """Make the parts."""
        me = self._talk.chat.oneself
        with VerticalScroll(classes="dialog"):
            yield Static("Account", classes="title")
            if me.is_account:
                yield Static(
                    Content(
                        f"“{me.nickname}” is your account: only who knows its password "
                        "can come in under it."
                    )
                )
                yield Static("Present password")
                yield Input(password=True, id="old")
                yield Static("New password (3 to 1000 characters)")
                yield Input(password=True, id="new")
                yield Button("Change the password", id="change_password", compact=True)
                yield Button("Log out everywhere else", id="log_out_everywhere", compact=True)
                yield Button(
                    "Delete the account, with the present password",
                    id="delete_account",
                    compact=True,
                )
            else:
                yield Static(
                    Content(
                        f"“{me.nickname}” is yours only while you are here. With a password it "
                        "stays yours, and private messages wait for you while you are away."
                    )
                )
                yield Static("New password (3 to 1000 characters)")
                yield Input(password=True, id="new")
                yield Static("Invitation code, if you have one")
                yield Input(id="code")
                yield Button("Make my nickname an account", id="register", compact=True)
            yield Static("", id="outcome")
            yield Static("Esc: back to the chat", classes="quiet")

    def on_mount(self) -> None:
        """Begin in the first field."""
        self.query(Input).first().focus()

    @on(Input.Submitted)
    def submitted(self) -> None:
        """Do what most come for."""
        self._ask("change_password" if self._talk.chat.oneself.is_account else "register")

    @on(Button.Pressed)
    def pressed(self, event: Button.Pressed) -> None:
        """Do what was chosen."""
        self._ask(event.button.id or "")

    async def answered(self, change: AccountAnswered) -> None:
        """Show what came of it; what can be done then may be something else."""
        self._is_underway = False
        if change.outcome == "done":
            await self.recompose()
            self.query(Input).first().focus()
        self._tell(words.account(change.action, change.outcome, change.seconds))

    def _ask(self, action: str) -> None:
        if self._is_underway:
            return
        frame: dict[str, object] = {"type": action}
        match action:
            case "register":
                frame["password"] = self._value("new")
                if code := self._value("code").strip():
                    frame["invitation"] = code
            case "change_password":
                frame |= {"old": self._value("old"), "new": self._value("new")}
            case "delete_account":
                frame["password"] = self._value("old")
        if not self._talk.ask_account(frame):
            self._tell("There is no connection now.")
            return
        self._is_underway = True
        self._tell("One moment…")
        self._poke()

    def _value(self, which: str) -> str:
        return self.query_one(f"#{which}", Input).value

    def _tell(self, text: str) -> None:
        self.query_one("#outcome", Static).update(Content(text))
