"""What is meant for the person at the keyboard."""


class UserError(ValueError):
    """Something in the command, the config or the data has to change.

    The message says what was found, where, what was expected and how to mend it; the command line prints it
    without a traceback. Every other exception is a defect of ours and keeps its traceback.
    """


class Stopped(BaseException):
    """The training was asked to stop and has saved its state; the same command goes on from there.

    Like KeyboardInterrupt it is no Exception: a sweep does not go on to its next job.
    """
