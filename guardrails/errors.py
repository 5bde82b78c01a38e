"""The errors of the guardrails. Messages never hold a value that was checked."""

from overread.errors import OverreadError


class GuardrailError(OverreadError):
    """Base of the guardrails' errors."""

    code = "guardrail_failed"


class DetectorError(GuardrailError):
    """A detector could not look at a text. The gate withholds that text."""

    code = "detector_failed"


class RuleFileError(GuardrailError):
    """A rule file (patterns, refusals, connective text) does not say what it must."""

    code = "bad_rules"


class HeaderTooDeepError(GuardrailError):
    """A DICOM header nests its sequences deeper than is read."""

    code = "too_large"


class CertificateError(GuardrailError):
    """A certificate cannot be made of what was given, or a stored one cannot be read."""

    code = "bad_certificate"


class PictureError(GuardrailError):
    """A picture cannot be rid of what came with it."""

    code = "bad_picture"


class AuditError(GuardrailError):
    """The audit log cannot be written or read, or is not as it was left."""

    code = "audit_failed"
