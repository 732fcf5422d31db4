"""Tertulia: one chat behind several old protocols, on several nodes over one Redis."""
