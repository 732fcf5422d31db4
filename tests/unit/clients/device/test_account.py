"""What the program explains once to each who logs in."""

from pathlib import Path

from tertulia.clients.device.account import Account, Explanation


def test_each_is_explained_once(tmp_path: Path) -> None:
    anna = Account("anna", tmp_path)
    assert [
        anna.needs(Explanation.MARKS),
        anna.needs(Explanation.ADDRESS),
        anna.needs(Explanation.MARKS),
    ] == [*(True, True, False)]
    assert not Account("ANNA", tmp_path).needs(Explanation.MARKS), "the next day"
    assert Account("bob", tmp_path).needs(Explanation.MARKS), "somebody else, at the same machine"


def test_a_disk_that_fails_keeps_nothing_from_being_explained(tmp_path: Path) -> None:
    (tmp_path / "account-anna").write_bytes(b"a file where the folder should be")
    anna = Account("anna", tmp_path)
    assert [anna.needs(Explanation.MARKS), anna.needs(Explanation.MARKS)] == [True, False]
