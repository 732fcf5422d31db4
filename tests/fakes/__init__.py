"""Hand-written fakes: small, typed, deterministic, and used by more than one test."""
