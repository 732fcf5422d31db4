"""A node: it wires everything, starts, serves and drains."""
