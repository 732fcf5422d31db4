"""An example of who is told by webhooks: it prints what is said, each message once. It needs Python alone.

    WEBHOOK_SECRET_FILE=secret python3 receiver.py 9000 seen.db

docs/webhooks.md says what it does, and why.
"""

import hashlib
import hmac
import json
import os
import sqlite3
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

OLDEST_SECONDS = 300
"""How old a signature may be: an older request was recorded, and is sent by somebody else."""
MOST_BYTES = 8 * 1024 * 1024


def is_genuine(secret: bytes, header: str, body: bytes, now: float) -> bool:
    """Say whether who has the secret has signed the body, a moment ago."""
    signed = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
    mac = hmac.new(secret, signed.get("t", "").encode() + b"." + body, hashlib.sha256).hexdigest()
    at = int(signed["t"]) if signed.get("t", "").isdigit() else 0
    # compare_digest takes as long for a good guess as for a bad one.
    return hmac.compare_digest(mac, signed.get("v1", "")) and abs(now - at) <= OLDEST_SECONDS


class Receiver(BaseHTTPRequestHandler):
    """Takes deliveries."""

    secret: bytes
    seen: sqlite3.Connection
    timeout = 10

    def do_POST(self) -> None:
        """Take one: it is answered 204 only when it is kept, as then nobody sends it again."""
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > MOST_BYTES:
            self.answer(413)
            return
        body = self.rfile.read(int(length))
        if not is_genuine(
            self.secret, self.headers.get("Tertulia-Signature", ""), body, time.time()
        ):
            self.answer(401)
            return
        self.take(json.loads(body))
        self.answer(204)

    def take(self, told: dict) -> None:
        """Do what is to be done, once: a delivery whose answer was lost comes again, with the same id."""
        with self.seen:
            new = self.seen.execute("INSERT OR IGNORE INTO seen VALUES (?)", (told["id"],)).rowcount
            for event in told["events"] if new else ():
                if event["event"] == "said":
                    print(f"{told['room']} {event['nickname']}: {event['text']!r}", flush=True)
                elif event["event"] == "gap":
                    print(f"{told['room']} has lost something: {event['entries']}", flush=True)

    def answer(self, status: int) -> None:
        """Answer without a body."""
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing of requests."""


def main() -> None:
    """Serve until somebody ends it."""
    port, file = int(sys.argv[1]), sys.argv[2]
    Receiver.secret = Path(os.environ["WEBHOOK_SECRET_FILE"]).read_bytes().strip()
    Receiver.seen = sqlite3.connect(file)
    Receiver.seen.execute("CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY)")
    server = HTTPServer(("127.0.0.1", port), Receiver)
    print(f"listening on {server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
