"""Reads past reports from files: Open-i's XML, plain text and JSONL, in a folder, a tar archive or by themselves.

Only findings and impression are read: indications, names and dates stand elsewhere in a report.
"""

import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

from overread.records import Record
from retrieval.errors import ReportError, SourceError
from retrieval.report_text import parts_of
from retrieval.sources import openi
from retrieval.sources.bounds import parse_xml

MAX_FILE_BYTES = 64 * 2**20
"""Largest single file; of JSONL, which holds many reports."""
MAX_REPORT_CHARACTERS = 20_000
"""A longer text is no report, and is passed over."""
MAX_REPORTS = 200_000
MAX_MEMBERS = 400_000
MAX_TOTAL_BYTES = 2 * 2**30

SUFFIXES = frozenset({".xml", ".txt", ".jsonl"})
_TAR = (".tgz", ".tar.gz", ".tar")


class RawReport(Record):
    """The two parts of a report that are kept, as they stand in the file: identity may be in them."""

    findings: str
    impression: str


def read_reports(path: Path) -> Iterator[RawReport]:
    """The reports under a path, in the order of the files' names. What is no report is passed over.

    Raises ``ReportError`` when the path is not there, cannot be read, or holds more than is read.
    """
    count = 0
    for name, data in _files(path):
        for report in _reports(name, data):
            if len(report.findings) + len(report.impression) > MAX_REPORT_CHARACTERS:
                continue
            count += 1
            if count > MAX_REPORTS:
                raise ReportError(f"there are more than {MAX_REPORTS:,} past reports; give fewer")
            yield report


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        if path.is_dir():
            total = 0
            for file in sorted(one for one in path.rglob("*") if one.suffix.lower() in SUFFIXES):
                if not file.is_file() or file.is_symlink() or file.stat().st_size > MAX_FILE_BYTES:
                    continue
                total = _within(total + file.stat().st_size)
                yield file.name, file.read_bytes()
        elif path.name.lower().endswith(_TAR):
            yield from _members(path)
        elif path.is_file():
            if path.stat().st_size > MAX_FILE_BYTES:
                raise ReportError("the file of past reports is too large; split it")
            yield path.name, path.read_bytes()
        else:
            raise ReportError("the past reports are not there; check OVERREAD_REPORTS or the path")
    except (OSError, tarfile.TarError, EOFError) as error:
        raise ReportError(f"the past reports cannot be read ({type(error).__name__})") from None


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """The files in a tar archive, none of them written to disk."""
    total = 0
    with tarfile.open(path, "r|*") as archive:
        for number, member in enumerate(archive):
            if number >= MAX_MEMBERS:
                raise ReportError("the archive of past reports holds too many files")
            if not member.isreg() or Path(member.name).suffix.lower() not in SUFFIXES:
                continue
            total = _within(total + member.size)
            file = archive.extractfile(member)
            if file is not None and member.size <= MAX_FILE_BYTES:
                yield member.name, file.read(MAX_FILE_BYTES)


def _within(total: int) -> int:
    if total > MAX_TOTAL_BYTES:
        raise ReportError("the past reports are larger than 2 GiB together; give fewer")
    return total


def _reports(name: str, data: bytes) -> Iterator[RawReport]:
    suffix = Path(name).suffix.lower()
    if suffix == ".xml":
        report = _openi(data)
        if report is not None:
            yield report
        return
    text = data.decode("utf-8-sig", errors="replace")
    if suffix == ".jsonl":
        yield from _rows(text)
    elif text.strip():
        findings, impression = parts_of(text)
        yield RawReport(findings=findings, impression=impression)


def _openi(data: bytes) -> RawReport | None:
    """A report in Open-i's XML. A file that declares entities or a document type is not parsed."""
    if re.search(rb"<!\s*(?:DOCTYPE|ENTITY)", data, re.IGNORECASE):
        return None
    try:
        root = parse_xml(data)
    except SourceError:
        return None
    parts = dict(openi.parts(root))
    findings, impression = parts.get("FINDINGS", ""), parts.get("IMPRESSION", "")
    return RawReport(findings=findings, impression=impression) if findings or impression else None


def _rows(text: str) -> Iterator[RawReport]:
    for line in text.splitlines():
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if not isinstance(row, dict):
            continue
        findings, impression = (row.get(key) for key in ("findings", "impression"))
        if isinstance(findings, str) or isinstance(impression, str):
            yield RawReport(
                findings=findings if isinstance(findings, str) else "",
                impression=impression if isinstance(impression, str) else "",
            )
        elif isinstance(row.get("text"), str):
            first, second = parts_of(row["text"])
            yield RawReport(findings=first, impression=second)
