"""Whatever takes bytes from outside, given such as nobody sends."""
