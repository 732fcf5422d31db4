"""Measure the service and its peers, in one run, on one machine: what ``make bench`` does.

Everything is started here: Redis, the nodes, the peers that are installed, the load tool. See
docs/benchmarks/.
"""
