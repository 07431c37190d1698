"""The one error of this package: what went wrong and what to do, in one line."""


class TopologyError(Exception):
    """A topology cannot start or go on; the text is for the person at the terminal."""
