"""Why a node can't start, and with which exit status the process then ends."""


class StartError(Exception):
    """The node can't start; the text says why, and what to do."""

    status = 1
    """The exit status of the process."""


class Misconfigured(StartError):
    """It will not start until somebody has changed something: trying again is of no use."""

    status = 2
