"""The errors that reach the user. Their text is a full sentence that ends with what to do."""


class CrossModalError(Exception):
    """A job failed for a reason that the message explains.

    Attributes:
        details: More for those who want to know; it is in the log, not in the message.
    """

    exit_code = 1

    def __init__(self, message: str = "", *, details: str = "") -> None:
        super().__init__(message)
        self.details = details


class UsageError(CrossModalError):
    """An option or argument cannot be used as given."""

    exit_code = 2


class CohortError(CrossModalError):
    """A cohort, a case or a file cannot be used as it is."""

    exit_code = 2


class ModelError(CrossModalError):
    """A model or task cannot be used as it is."""

    exit_code = 2


class NoSpaceError(CrossModalError):
    """The disk is full: nothing that comes later can be written either, so the job stops."""


class CancelledError(CrossModalError):
    """The user asked the job to stop."""

    exit_code = 130
