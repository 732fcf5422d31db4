"""What an encoder is whose clients are all told the same: it is the replies of each of them, too."""

from collections.abc import Sequence
from typing import ClassVar, Self

from tertulia.dialects.contract import Decoder, Welcome
from tertulia.domain.events import PublicEvent, Said, Tagged, TaggedAlone
from tertulia.domain.operator_commands import Action
from tertulia.domain.position import Position


class SharedEncoder:
    """An encoder that is its clients' replies, and renders each event for itself."""

    __slots__ = ()

    tells_away: ClassVar[bool] = False

    @property
    def encoder(self) -> Self:
        """Itself: what a client listens to never changes."""
        return self

    def replies(self, decoder: Decoder) -> Self:
        return self

    def public(self, event: PublicEvent) -> bytes:
        """Render an event, as everybody reads it; empty where the dialect has no word for it."""
        raise NotImplementedError

    def pieces(
        self, events: Sequence[PublicEvent], position: Position, first: int = 0
    ) -> list[bytes]:
        return list(map(self.public, events))

    def moderated(self, action: Action, tag: int) -> bytes:
        return b""

    def tagged(self, event: TaggedAlone, at: float) -> bytes:
        return b""

    def echo(self, event: Said | Tagged, position: Position, index: int) -> bytes:
        return b""

    def proved(self, nickname: str, *, is_account: bool) -> bytes:
        return b""

    def shown(self, welcome: Welcome) -> bytes:
        return b""

    def hidden(self, words: str = "") -> bytes:
        return b""
