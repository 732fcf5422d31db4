"""What is in force in a room, as the log tells it."""

import pytest

from tertulia.domain.events import (
    MODERATED,
    AccountsOnly,
    Appointed,
    Joined,
    Kicked,
    Muted,
    Outsiders,
    Owned,
    PublicEvent,
    Redacted,
    Said,
    SlowMode,
    Topic,
    Unmuted,
    Withdrawn,
)
from tertulia.domain.moderation import OWNERS, Moderation, Rules, Standing
from tertulia.domain.operator_commands import Action

ANNA = ("anna", "n:1")
ALL = sorted(OWNERS)


def test_every_act_is_told_as_an_event_of_its_own() -> None:
    told = {type(Moderation(action, "bruno").event(*ANNA)) for action in ALL}
    assert told == MODERATED - {Owned}  # which is told of who makes a room


def test_what_is_no_moderation_has_no_event() -> None:
    with pytest.raises(ValueError, match="drain is no moderation"):
        Moderation(Action.DRAIN).event(*ANNA)


@pytest.mark.parametrize(
    ("act", "value"),
    [
        (Moderation(Action.MUTE, "b", 60), "60 s"),
        (Moderation(Action.MUTE, "b"), "for good"),
        (Moderation(Action.SLOW, value=5), "5 s"),
        (Moderation(Action.ACCOUNTS_ONLY, value=1), "on"),
        (Moderation(Action.ACCOUNTS_ONLY), "off"),
        (Moderation(Action.OUTSIDERS, value=1), "on"),
        (Moderation(Action.REDACT, value=11, index=2), "11.2"),
        (Moderation(Action.TOPIC, text="x"), ""),
    ],
)
def test_what_the_audit_log_says_of_it(act: Moderation, value: str) -> None:
    assert act.written_value == value


def test_what_the_log_tells_is_in_force() -> None:
    rules = Rules()
    mute = Muted(*ANNA, "Bruno", 5_000, "loud")
    for event in (
        mute,
        SlowMode(*ANNA, 5),
        AccountsOnly(*ANNA, True),
        Topic(*ANNA, "coffee"),
        Owned(*ANNA, "Anna"),
        Outsiders(*ANNA, True),
        Appointed("G", "-", "Anna", True),
        Redacted(*ANNA, 11, 1),
        Kicked(*ANNA, "carla"),
    ):
        rules.take(event)
    standing = rules.standing("bruno", 4.9, is_account=False)
    assert standing == Standing(False, "coffee", 5, True, mute, ("anna",), None, "anna", True)
    told = rules.standing("anna", 4.9, is_account=True)
    assert told.is_moderator
    assert told.mutes == {"Bruno": 5_000}, "moderators know who is muted"
    assert not rules.standing("anna", 0, is_account=False).is_moderator  # a guest of that name
    assert rules.redacted == {(11, 1)}
    assert (rules.owner, rules.outsiders) == ("anna", True)
    other = Rules()
    other.replace(rules)
    assert other == rules
    for ending in (
        Unmuted(*ANNA, "bruno"),
        SlowMode(*ANNA),
        AccountsOnly(*ANNA),
        Topic(*ANNA),
        Outsiders(*ANNA),
        Appointed("G", "-", "anna"),
    ):
        rules.take(ending)
    assert rules.standing("bruno", 0, is_account=False) == Standing(owner="anna")
    assert not rules.moderators


def test_a_mute_ends_by_itself() -> None:
    rules = Rules()
    rules.take(Muted(*ANNA, "bruno", 5_000))
    rules.take(Muted(*ANNA, "carla"))
    assert rules.mute_of("bruno", 4.999) is not None
    assert rules.mute_of("bruno", 5.0) is None
    assert rules.mutes.keys() == {"carla"}
    assert rules.mute_of("carla", 1e10) is not None


def test_what_was_redacted_is_forgotten_with_the_log_that_had_it() -> None:
    rules = Rules()
    for offset in range(1, 1000):
        rules.take(Redacted(*ANNA, offset, 0, max(1, offset - 2)))
    assert rules.redacted == {(997, 0), (998, 0), (999, 0)}
    rules.take(Redacted(*ANNA, 997, 1))  # of a node of the version before, which does not say
    assert len(rules.redacted) == 4


def test_a_redacted_message_is_a_mark_in_its_place() -> None:
    events: list[PublicEvent] = [
        Joined("b", "n:2"),
        Said("b", "n:2", "one"),
        Said("c", "n:3", "two"),
    ]
    rules = Rules()
    assert rules.without_redacted(7, events) is events
    rules.take(Redacted(*ANNA, 7, 1))
    assert rules.without_redacted(7, events) == [*events[:2], Withdrawn("c", "n:3")]
    assert rules.without_redacted(8, events) == events


def test_the_owner_of_a_room_is_one_of_its_moderators() -> None:
    rules = Rules()
    rules.take(Owned(*ANNA, "Anna", 7))
    rules.take(Outsiders(*ANNA, True))
    standing = rules.standing("anna", 0, is_account=True, account=7)
    assert (standing.is_moderator, standing.owner, standing.outsiders) == (True, "anna", True)
    assert not rules.standing("anna", 0, is_account=False, account=0).is_moderator
    assert not rules.standing("bruno", 0, is_account=True, account=7).is_moderator
    assert rules.standing("bruno", 0, is_account=True, account=7).owner == "anna"


def test_in_a_room_another_account_of_the_name_is_another() -> None:
    rules = Rules()
    rules.take(Owned(*ANNA, "Anna", 7))
    rules.take(Appointed(*ANNA, "Bruno", True, 8))
    for account in (0, 9):
        for key in ("anna", "bruno"):
            is_account = bool(account)
            standing = rules.standing(key, 0, is_account=is_account, account=account)
            assert (standing.is_moderator, standing.mutes) == (False, None)
            assert standing.owner != key
    assert rules.standing("bruno", 0, is_account=True, account=8).is_moderator
    rules.take(Appointed(*ANNA, "Anna", True, 9))  # an operator has named the other one
    standing = rules.standing("anna", 0, is_account=True, account=9)
    assert (standing.is_moderator, standing.owner) == (True, "")
