"""A client of the dialect chatte, from its page: chatte.py NICKNAME HOST PORT. It says what it reads.

A line is said to everybody, and ``@NICK TEXT`` to one. The end of the input closes the connection.
"""

import socket
import sys
import threading
from contextlib import suppress

WORDS = {"100": "SAID", "102": "TOLD", "150": "CAME", "151": "WENT"}


def take(line: str) -> str:
    """Return what a line tells; acknowledge it where that is due."""
    code, _, rest = line.partition(" ")
    if code in ("100", "102"):
        with suppress(OSError):  # we may have gone meanwhile
            connection.sendall(b"101 Message received.\n")
        return f"{WORDS[code]} {rest}"
    return f"{WORDS[code]} {rest.split(' ')[0]}" if code in WORDS else line


def speak() -> None:
    """Say each line of the input, then go."""
    for text in map(str.rstrip, sys.stdin):
        line = f"102 {text[1:]}" if text.startswith("@") else f"100 {text}"
        connection.sendall(f"{line}\n".encode())
    connection.shutdown(socket.SHUT_RDWR)


nickname, host, port = sys.argv[1:]
connection = socket.create_connection((host, int(port)))
lines = connection.makefile(encoding="utf-8", newline="\n")
lines.readline()  # 0 Hello, nickname please.
connection.sendall(f"{nickname}\n".encode())
threading.Thread(target=speak, daemon=True).start()
for line in lines:
    print(take(line.rstrip("\n")), flush=True)  # noqa: T201 (this program speaks to its user)
