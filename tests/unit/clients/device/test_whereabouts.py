"""What is asked of the service, and what is kept of its answers."""

from tertulia.clients.device.effects import Locate, NoPlace, PeerPlace
from tertulia.clients.device.peer import Partner
from tertulia.clients.device.whereabouts import Whereabouts

BOB = Partner("bob", 6000)
CAROL = Partner("carol", 7000)


def test_a_question_that_is_not_answered_yet_is_not_asked_again() -> None:
    them = Whereabouts()
    assert list(them.ask(BOB, 6000)) == [Locate("bob", 6000)]
    assert list(them.ask(Partner("BOB", 1))) == []
    assert list(them.ask(CAROL)) == [Locate("carol")]
    them.told("bob", NoPlace("away"), BOB)
    assert list(them.ask(BOB)) == [Locate("bob")]


def test_only_the_partner_s_place_is_kept_and_only_a_place() -> None:
    them = Whereabouts()
    them.told("carol", PeerPlace("10.0.0.8", 7000), BOB)
    assert them.of_partner is None
    assert not them.may_be_partner("10.0.0.8")
    them.told("Bob", PeerPlace("10.0.0.7", 6000), BOB)
    them.told("bob", NoPlace("away"), BOB)
    assert them.may_be_partner("::ffff:10.0.0.7")
