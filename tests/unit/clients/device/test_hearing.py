"""What a peer's words count for."""

from tertulia.clients.device.hearing import COMINGS_BURST, IN_ALL, LINE_BYTES, MAX_HEARD, Hearings


def test_short_lines_count_for_what_they_leave_behind() -> None:
    hearings = Hearings()
    bob = hearings.of("bob")
    assert hearings.take(bob, MAX_HEARD - LINE_BYTES, 0.0)
    bob.said(0.0)
    assert hearings.take(bob, 0, 0.0)
    bob.said(0.0)
    assert not hearings.take(bob, 0, 0.0)


def test_a_crowd_comes_in_no_oftener_than_some_of_it_might() -> None:
    hearings = Hearings()
    came = [not hearings.of(f"user{it}").comes_too_often(0.0) for it in range(100)]
    assert sum(came) == IN_ALL * COMINGS_BURST
