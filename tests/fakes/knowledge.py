"""What a node knows, made up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tertulia.dialects.contract import Known
from tertulia.domain.moderation import Standing
from tertulia.domain.nicknames import fold


@dataclass
class FakeKnowledge:
    """Rooms and who is in them; of a room that is not here, nothing is told."""

    rooms: dict[str, list[Known]] = field(default_factory=dict)
    standings: dict[str, Standing] = field(default_factory=dict)
    muted: dict[str, int] = field(default_factory=dict)
    time: float = 0.0

    def people(self, room: str) -> Sequence[Known] | None:
        return self.rooms.get(room)

    def person(self, nickname: str) -> Known | None:
        everybody = {fold(it.nickname): it for room in self.rooms.values() for it in reversed(room)}
        return everybody.get(fold(nickname))

    def rooms_with(self, nickname: str) -> Sequence[str]:
        key = fold(nickname)
        return [
            room
            for room, people in self.rooms.items()
            if room and any(fold(it.nickname) == key for it in people)
        ]

    def standing(self, room: str) -> Standing | None:
        return self.standings.get(room, Standing()) if room in self.rooms else None

    def mutes(self, room: str) -> Mapping[str, int]:
        return self.muted

    def count(self) -> int:
        return len(self.rooms.get("", ()))

    def now(self) -> float:
        return self.time
