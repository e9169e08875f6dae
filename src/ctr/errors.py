"""The one exception that is meant for the person at the keyboard."""


class UserError(ValueError):
    """Something in the command, the config or the data has to change.

    The message says what was found, where, what was expected and how to mend it; the command line prints it
    without a traceback. Every other exception is a defect of ours and keeps its traceback.
    """
