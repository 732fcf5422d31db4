"""Programs that people use for irc, each set up as somebody would who wants to talk here."""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from harness.irc_client import LOBBY
from harness.requirements import program
from harness.screen import WITHIN, Screen
from harness.waiting import until_sync

RECONNECT_SECONDS: Final = 1
"""After which a program that lost its connection tries again."""


class IrcProgram(ABC):
    """One program. What it has been told is in its own log of a channel, or of a person."""

    def __init__(
        self,
        folder: Path,
        ports: Sequence[int],
        nickname: str,
        channels: Sequence[str] = (),
        password: str = "",
    ) -> None:
        """Start it: it connects to the first port that answers, and joins channels.

        ``password``: of the account ``nickname``, which it proves with SASL.
        """
        folder.mkdir(parents=True)
        self.folder = folder
        self.nickname = nickname
        self._set_up(folder, ports, channels, password)
        self.screen = Screen(self._command(folder), folder)

    @abstractmethod
    def _set_up(
        self, folder: Path, ports: Sequence[int], channels: Sequence[str], password: str
    ) -> None: ...

    @abstractmethod
    def _command(self, folder: Path) -> list[str]: ...

    @abstractmethod
    def goes_to(self, target: str) -> None:
        """Show a channel, or the talk with a person; what is typed goes there."""

    def says(self, target: str, text: str) -> None:
        """Say something in a channel, or to a person."""
        self.goes_to(target)
        self.screen.types(text)

    def types(self, command: str) -> None:
        """Give a command, with its slash."""
        self.screen.types(command)

    def log(self, target: str) -> str:
        """Return all that the program has logged of a channel, or of a person."""
        return "".join(
            it.read_text(errors="replace")
            for it in sorted(self.folder.rglob("*log"))
            if it.is_file() and target.removeprefix("#") in it.name
        )

    def logs(self, target: str, *texts: str, within: float = WITHIN) -> None:
        """Wait until a log has all of some texts."""
        until_sync(
            lambda: all(it in self.log(target) for it in texts),
            within,
            lambda: f"{texts} in the log of {target}: {self.log(target)}\n{self.screen.text}",
        )

    def is_in(self, channel: str = LOBBY, within: float = WITHIN) -> None:
        """Wait until it is in a channel."""
        self.logs(channel, self._own_coming(), within=within)

    @abstractmethod
    def _own_coming(self) -> str: ...

    @abstractmethod
    def _line_of(self, nickname: str) -> str:
        """Return the pattern of what a log has in front of what somebody said."""

    def said_by(self, nickname: str, target: str) -> list[str]:
        """Return the lines that somebody said, by the program's log of a channel or a person."""
        return re.findall(rf"^{self._line_of(nickname)}(.*)$", self.log(target), re.MULTILINE)

    def end(self) -> None:
        """End it whatever it does."""
        self.screen.end()


class Irssi(IrcProgram):
    """irssi, on a terminal."""

    def _set_up(
        self, folder: Path, ports: Sequence[int], channels: Sequence[str], password: str
    ) -> None:
        sasl = (
            f'sasl_mechanism = "PLAIN"; sasl_username = "{self.nickname}"; '
            f'sasl_password = "{password}";'
            if password
            else ""
        )
        servers = ", ".join(
            f'{{ address = "127.0.0.1"; port = "{port}"; chatnet = "tertulia"; '
            f'autoconnect = "{"no" if number else "yes"}"; }}'
            for number, port in enumerate(ports)
        )
        joined = ", ".join(
            f'{{ name = "{it}"; chatnet = "tertulia"; autojoin = "yes"; }}' for it in channels
        )
        (folder / "config").write_text(
            f"""
servers = ( {servers} );
chatnets = {{ tertulia = {{ type = "IRC"; nick = "{self.nickname}"; {sasl} }}; }};
channels = ( {joined} );
settings = {{
  core = {{ real_name = "A person"; user_name = "{self.nickname}"; nick = "{self.nickname}";
            server_reconnect_time = "{RECONNECT_SECONDS}s"; recode_autodetect_utf8 = "yes"; }};
  "fe-common/core" = {{ autolog = "yes"; autolog_path = "{folder}/$0.log"; term_charset = "utf-8";
                        autolog_level = "all"; }};
  "fe-text" = {{ paste_verify_line_count = "0"; }};
  "irc/core" = {{ cmd_queue_speed = "10msec"; }};
}};
"""
        )

    def _command(self, folder: Path) -> list[str]:
        return [program("irssi"), f"--home={folder}"]

    def _own_coming(self) -> str:
        return f"-!- {self.nickname} "

    def _line_of(self, nickname: str) -> str:
        return rf"[\d:]+ <.?{re.escape(nickname)}> "

    def goes_to(self, target: str) -> None:
        if not target.startswith("#"):
            self.screen.types(f"/query {target}")
        self.screen.types(f"/window goto {target}")
        self.screen.shows(f"[{target}]")


class Weechat(IrcProgram):
    """WeeChat without its screen: it is spoken to through its pipe."""

    def _set_up(
        self, folder: Path, ports: Sequence[int], channels: Sequence[str], password: str
    ) -> None:
        self._pipe = folder / "pipe"
        addresses = ",".join(f"127.0.0.1/{it}" for it in ports)
        sasl = (
            f"/set irc.server.tertulia.sasl_username {self.nickname}",
            f"/set irc.server.tertulia.sasl_password {password}",
        )
        self._commands = [
            "/set logger.file.flush_delay 0",
            f"/set logger.file.path {folder}/logs",
            "/set logger.mask.irc $server.$channel.weechatlog",
            f"/set fifo.file.path {self._pipe}",
            f"/server add tertulia {addresses} -notls",
            f"/set irc.server.tertulia.nicks {self.nickname}",
            f'/set irc.server.tertulia.autojoin "{",".join(channels)}"',
            f"/set irc.server.tertulia.autoreconnect_delay {RECONNECT_SECONDS}",
            "/set irc.server_default.anti_flood_prio_high 0",
            "/set irc.server_default.anti_flood_prio_low 0",
            *(sasl if password else ()),
            "/connect tertulia",
        ]

    def _command(self, folder: Path) -> list[str]:
        runs = [word for it in self._commands for word in ("-r", it)]
        return [
            program("weechat-headless", "weechat-headless weechat-plugins"),
            "--stdout",
            "-d",
            str(folder),
            *runs,
        ]

    def _own_coming(self) -> str:
        return f"-->\t{self.nickname} "

    def _line_of(self, nickname: str) -> str:
        return rf"[^\t]+\t[@+]?{re.escape(nickname)}\t"

    def goes_to(self, target: str) -> None:
        """Need nothing: what is said is said to its buffer."""

    def says(self, target: str, text: str) -> None:
        if target.startswith("#"):
            self._write(f"irc.tertulia.{target} *{text}")
        else:
            self._write(f"irc.server.tertulia */msg {target} {text}")

    def types(self, command: str) -> None:
        self._write(f"irc.server.tertulia *{command}")

    def _write(self, line: str) -> None:
        until_sync(self._pipe.exists, WITHIN, lambda: f"its pipe\n{self.screen.text}")
        with self._pipe.open("a") as pipe:
            pipe.write(f"{line}\n")
