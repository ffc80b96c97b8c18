"""The errors that reach the user. Their text is a full sentence that ends with what to do."""


class CrossModalError(Exception):
    """A job failed for a reason that the message explains."""

    exit_code = 1


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
