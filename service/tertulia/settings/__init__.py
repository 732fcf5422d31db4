"""Settings: what there is to set, where it comes from, and what is said of mistakes."""
