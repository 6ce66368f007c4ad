"""Every error the lab raises on purpose; the command line turns each into one line."""


class LabError(Exception):
    """Root of the tree. The message names the subject, what was found, and what to do.

    LabError
    ├── ConfigError    flags, compose.yaml or a label ask for something impossible
    │   └── UsageError    a command line cannot be carried out as typed: a flag, a name or a value is wrong
    ├── SetupError     the engine, Compose or an image cannot be had
    │   └── NoEngineError    no engine answers where one is looked for
    ├── EngineError    the engine refused, failed or went away
    ├── EntryError     an entry does not serve: it never got ready, or it died
    ├── WrkError       wrk failed, or printed what cannot be a result
    └── StoreError     a run cannot be written, read or continued
        └── NoRunError    what is named as a run is none: a UsageError, too
    """


class ConfigError(LabError):
    pass


class UsageError(ConfigError):
    pass


class SetupError(LabError):
    pass


class NoEngineError(SetupError):
    pass


class EngineError(LabError):
    pass


class EntryError(LabError):
    """`summary` is the cause in a few words, for whatever else it keeps from being done."""

    def __init__(self, message: str, summary: str):
        super().__init__(message)
        self.summary = summary


class WrkError(LabError):
    pass


class StoreError(LabError):
    pass


class NoRunError(StoreError, UsageError):
    pass
