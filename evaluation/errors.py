"""The errors of measuring."""

from overread.errors import OverreadError


class EvaluationError(OverreadError):
    """Base of the errors of measuring."""

    code = "evaluation_failed"


class ManifestError(EvaluationError):
    """A manifest cannot be read. A row is named by its line: a file name may hold a patient's name."""

    code = "bad_manifest"


class ReportError(EvaluationError):
    """A trust report cannot be read or written."""

    code = "bad_report"


class RulesError(EvaluationError):
    """The rules of a gate cannot be understood."""

    code = "bad_rules"
