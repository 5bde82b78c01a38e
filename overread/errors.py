"""The ground's errors, and the one base every room's errors share."""


class OverreadError(Exception):
    """Base of every error Overread raises on purpose.

    ``code`` is a short stable word for programs. The message is for people: it says what is
    wrong with the input and what to do, and never holds a value that could identify a patient.
    """

    code = "error"


class SettingsError(OverreadError):
    """A setting has a value Overread cannot work with."""

    code = "bad_setting"


class CardError(OverreadError):
    """A model card is missing, malformed, or its weights are absent or do not match it."""

    code = "bad_card"


class CatalogueError(OverreadError):
    """The catalogue of models is malformed, or does not say enough to pull a model."""

    code = "bad_catalogue"


class DownloadError(OverreadError):
    """A file could not be downloaded, or is not the one that was asked for."""

    code = "download_failed"
