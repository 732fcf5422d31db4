"""What is said beside a text, or without one: that somebody types, or a reaction."""

from fakes.encoder import ChoosingEncoder, FramedEncoder, PlainEncoder
from fakes.house import Client, House
from tertulia.chat.ports import Entry
from tertulia.domain import commands
from tertulia.domain.events import Said, Tagged
from unit.chat.conftest import Enter

TYPES = "+typing=active"


def entry_of(house: House, room: str = "") -> Entry:
    """Return what stands last in a room's log."""
    chat = house.chat.rooms[room] if room else house.chat
    return chat.log[-1]


def tag(client: Client, room: str = "") -> None:
    client.do(commands.Say("", 7, room, tags=TYPES))


def test_everybody_in_the_room_is_told_and_its_sender_in_its_own_way(
    enter: Enter, house: House
) -> None:
    andy = enter("andy", ChoosingEncoder())
    betty = enter("betty", room=house.room("other"))
    andy.read()
    tag(andy)
    assert andy.read() == [f"own {TYPES} #7", "sent #7"]
    assert betty.read() == [f"tagged andy {TYPES}"]
    assert entry_of(house).events == [Tagged("andy", andy.session.name, TYPES, 7)]


def test_it_is_no_message(enter: Enter, house: House) -> None:
    andy, betty = enter("andy"), enter("betty", FramedEncoder())
    andy.read()
    before = betty.session.receipts.received()
    tag(andy)
    betty.read()
    assert betty.session.receipts.received() == before, "nobody acknowledges it"


def test_what_goes_with_a_text_stands_in_the_log_with_it(enter: Enter, house: House) -> None:
    andy = enter("andy")
    andy.do(commands.Say("yes", 7, tags="+draft/reply=a-1-0", splits=(1,)))
    andy.read()
    said = Said("andy", andy.session.name, "yes", 7, tags="+draft/reply=a-1-0", splits=(1,))
    assert entry_of(house).events == [said]


def test_in_a_further_room(enter: Enter) -> None:
    andy, betty = enter("andy", FramedEncoder()), enter("betty", FramedEncoder())
    for client in (andy, betty):
        client.join("ops")
        client.read()
    andy.read()
    tag(andy, "ops")
    assert betty.read() == [f"#ops 3 [tagged andy {TYPES}]"]


def test_to_one_person(enter: Enter, house: House) -> None:
    andy = enter("andy")
    betty, carl = enter("betty", room=house.room("other")), enter("carl")
    for client in (andy, betty):
        client.read()
    andy.do(commands.Whisper("Betty", "", 7, tags=TYPES))
    assert andy.read() == ["sent #7"]
    assert betty.read() == [f"tagged andy {TYPES}"]
    assert carl.read() == []
    assert betty.room.confirmed() == 1, "it waits for nothing"


def test_to_who_is_not_there_it_is_lost(enter: Enter, house: House) -> None:
    andy = enter("andy")
    andy.do(commands.Whisper("betty", "", 7, tags=TYPES))
    assert andy.read() == ["refused unknown_recipient betty #7"]
    betty = enter("betty", room=house.room("other"))
    andy.read()
    betty.leave()
    andy.do(commands.Whisper("betty", "", 8, tags=TYPES))
    andy.read()
    assert house.counted("undelivered_total") == 0


def test_who_cannot_show_it_goes_on(enter: Enter, house: House) -> None:
    class Failing(PlainEncoder):
        def tagged(self, event: object, at: float) -> bytes:
            raise ValueError

    andy, betty = enter("andy"), enter("betty", Failing())
    andy.read()
    andy.do(commands.Whisper("betty", "", 7, tags=TYPES))
    andy.whisper("betty", "psst")
    assert andy.read() == ["sent #7", "sent"]
    assert betty.read() == ["whispered andy psst"]
