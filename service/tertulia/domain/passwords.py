"""How long a password of an account may be."""

from typing import Final

MIN_PASSWORD: Final = 3
MAX_PASSWORD: Final = 1000
"""Characters. Generated ones of hundreds are in use; devices know fewer: see their dialect."""
