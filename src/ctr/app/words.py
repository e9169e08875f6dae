"""Words of a command line, as Hydra reads them."""


def quoted(text: object) -> str:
    """As the value of an override, whatever is in it."""
    return "'" + str(text).replace("'", "\\'") + "'"
