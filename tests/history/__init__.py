"""Recorded histories of clients, and the checker that holds them against the service's promises."""
