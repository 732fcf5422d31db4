"""Answering HTTP: what there is to ask for, and what is said with it. Others read requests, and write.

Nothing here takes a body, so all that is asked for is asked for with GET, or with HEAD.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

METHODS: Final = ("GET", "HEAD")
PLAIN: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and what to say with it."""

    status: HTTPStatus
    body: bytes
    content_type: str = PLAIN
    more: Mapping[str, str] = field(default_factory=dict)
    """Headers beside those that every answer has."""
    is_part: bool = False
    """Whether it is a part of documents, and none itself."""

    def headers(self) -> dict[str, str]:
        """Return all headers, with the date of now."""
        about = {"Content-Type": self.content_type, "Content-Length": str(len(self.body))}
        if self.status is HTTPStatus.NOT_MODIFIED:
            about = {}  # RFC 9110, 8.6: the length would be that of what is not sent
        return {"Date": formatdate(usegmt=True), **about, **self.more}


def bare(status: HTTPStatus, **more: str) -> Answer:
    """Return an answer that says no more than its status does."""
    return Answer(status, status.phrase.encode() + b"\n", more=more)


class Pages:
    """What there is to ask for, as a pure mapping of requests to answers."""

    def __init__(self, pages: Mapping[str, Callable[[str], Answer]]) -> None:
        """``pages``: by path, what gives the answer to those who accept this."""
        self._pages = pages

    def answer(self, method: str, target: str, accept: str = "") -> Answer:
        """Answer a request. Raises what a page raises."""
        page = self._pages.get(target.partition("?")[0])
        if page is None:
            return bare(HTTPStatus.NOT_FOUND)
        if method not in METHODS:
            return bare(HTTPStatus.METHOD_NOT_ALLOWED, Allow=", ".join(METHODS))
        return page(accept)
