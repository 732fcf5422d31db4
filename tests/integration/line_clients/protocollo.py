"""A client of the dialect protocollo, from its page: protocollo.py NAME HOST PORT. It says what it reads.

A line is said to everybody, and ``@NAME TEXT`` to one. The end of the input leaves.
"""

import socket
import sys
import threading

CAME, WENT = " si è unito", " si è disconnesso"


def take(line: str) -> str:
    """Return what a line tells."""
    sender, sign, text = line.partition("> ")
    if not sign:
        return "IN" if line.startswith("Utenti collegati: ") else line
    if sender == "G.@g" and text.endswith(CAME):
        return f"CAME {text.removesuffix(CAME)}"
    if sender == "G.@g":
        return f"WENT {text.removesuffix(WENT)}"
    if sender.endswith(".@g"):
        return f"SAID {sender.removesuffix('.@g')} {text}"
    return f"TOLD {sender} {text}"


def speak() -> None:
    """Say each line of the input, then leave."""
    for line in map(str.rstrip, sys.stdin):
        name, text = line[1:].split(" ", 1) if line.startswith("@") else ("G", line)
        connection.sendall(f"{name}\n{text}\n".encode())
    connection.sendall(b"fine\n")


name, host, port = sys.argv[1:]
connection = socket.create_connection((host, int(port)))
connection.sendall(f"{name}\n".encode())
threading.Thread(target=speak, daemon=True).start()
for read in connection.makefile(encoding="utf-8", newline="\n"):
    print(take(read.rstrip("\n")), flush=True)  # noqa: T201 (this program speaks to its user)
