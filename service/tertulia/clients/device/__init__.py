"""A device of the dialect ``device``: a terminal program for people.

Everything that a socket, a terminal or a clock has a part in is in ``program``, ``conversation``,
``service_calls``, ``peer_sockets`` and ``terminal``; the rest is sans-IO, files apart.
"""
