"""Takes identity out of what a client hands over: a text, or a DICOM file."""

import tempfile
from pathlib import Path

from agent.parts import Parts
from agent.redaction import Redactor, Work
from overread.settings import Settings
from serve.errors import ArgumentsError
from serve.mcp.results import RedactedSpan, RedactTextResult


def redacted_text(text: str, parts: Parts) -> RedactTextResult:
    """The text without identity. Raises ``DetectorError`` when the detector fails; nothing is given then."""
    from guardrails.phi.identity import Identity
    from guardrails.phi.text import redact

    found = redact(text, Identity(), parts.detector())
    spans = tuple(RedactedSpan(start=span.start, end=span.end, kind=span.kind) for span in found.spans)
    return RedactTextResult(text=found.text, spans=spans)


def redacted_dicom(path: Path, target: Path | None, folder: Path, settings: Settings) -> tuple[dict[str, int], bytes]:
    """What was taken out of a DICOM file, in counts, and the clean file, which is written to ``target`` if given.

    ``folder`` is a private one for what lies between. Raises ``ArgumentsError`` for what is no DICOM file.
    """
    if path.is_dir():
        raise ArgumentsError("one DICOM file is taken, no folder")
    with tempfile.TemporaryDirectory(dir=folder) as between:
        out = Path(between) / "clean"
        receipt = next(iter(Redactor(settings).run(Work((path,), out, is_folder=False))))
        if receipt.status != "ok":
            raise ArgumentsError(receipt.reason or "the file cannot be redacted")
        if receipt.kind != "dicom":
            raise ArgumentsError("the file is no DICOM file; overread redact takes other kinds")
        data = out.read_bytes()
    if target is not None:
        try:
            with target.open("xb") as file:
                file.write(data)
        except OSError as error:
            raise ArgumentsError(f"output cannot be written ({type(error).__name__})") from None
    return receipt.removed, data
