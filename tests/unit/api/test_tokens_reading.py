"""Which tokens may read what is said in a room."""

import pytest

from tertulia.api.tokens import Scope, Token


@pytest.mark.parametrize(
    ("scope", "reads"),
    [(Scope.SAY, False), (Scope.READ, True), (Scope.MODERATE, True), (Scope.OPERATE, True)],
)
def test_who_may_read(scope: Scope, reads: bool) -> None:
    token = Token(name="bot", sha256="0" * 64, scopes=frozenset({scope}), rooms=("ops",))
    assert token.reads("ops") is reads
    assert not token.reads("chess")
