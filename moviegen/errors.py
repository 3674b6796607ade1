"""Errors that a person reads, and the exit code each one ends the command with."""


class MovieGenError(Exception):
    """What failed, which file, why, and what to type next, in one message. Printed without a traceback unless `--debug`."""

    exit_code = 1


class UsageError(MovieGenError, ValueError):
    """A flag, a config value or a path that the user can mend."""

    exit_code = 2


class BusyError(UsageError):
    """Another run holds what this one would write: the same command works when that one has ended."""

    exit_code = 6


class DiskError(MovieGenError):
    """The disk refused a write: full, read-only, forbidden, broken. Never the fault of one input, so never a failed row."""

    exit_code = 5


class StorageError(DiskError):
    """An object store cannot be reached, or refuses: never the fault of one input, so never a failed row."""


class FailedInputsError(MovieGenError):
    """The run finished, and more inputs failed than its limit allows."""

    exit_code = 3


class CheckFailedError(MovieGenError):
    """A check found rows that must not be there."""

    exit_code = 4
