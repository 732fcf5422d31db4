"""Makes hashes of passwords cheap in the process that runs this, and who is unknown as quick to refuse.

At the default cost one keeps a processor busy for a quarter of a second, and tests want a thousand.
"""

import argon2

from tertulia.chat import accounts

_make = argon2.PasswordHasher.__init__
_, _, _, *_others = _make.__defaults__ or ()
_make.__defaults__ = (1, 8, 1, *_others)
accounts._NOBODY = argon2.PasswordHasher().hash("of nobody")
