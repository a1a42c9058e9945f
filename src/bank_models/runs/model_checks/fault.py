"""Error of a malformed model file."""


class Malformed(ValueError):
    """A part of a model file cannot have come from training."""


def need(is_so: bool, fault: str) -> None:
    """Refuse a model file.

    Raises
    ------
    Malformed
        If it is not so.
    """
    if not is_so:
        raise Malformed(fault)
