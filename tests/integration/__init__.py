"""Tests with real nodes, as processes, on a real Redis."""
