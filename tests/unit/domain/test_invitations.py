"""Codes of invitations."""

import re

from tertulia.domain.invitations import kept, new_code


def test_codes_are_like_no_other() -> None:
    codes = {new_code() for _ in range(1000)}
    assert len(codes) == 1000
    assert all(re.fullmatch(r"[a-z0-9]{4}(-[a-z0-9]{4}){3}", code) for code in codes)
    assert not {"1", "i", "l", "o"} & set("".join(codes)), "signs that look alike"


def test_how_a_code_is_typed_does_not_matter_and_it_is_not_kept() -> None:
    code = new_code()
    assert kept(code) == kept(code.upper()) == kept(code.replace("-", ""))
    assert kept(code) != kept(new_code())
    assert re.fullmatch(r"[0-9a-f]{64}", kept(code))
    assert kept("\ud800 nonsense")
