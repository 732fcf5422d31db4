"""What there is to ask for: a router each."""
