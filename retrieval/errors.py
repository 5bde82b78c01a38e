"""The errors of retrieval. Messages name the note, reference or file, and what to do."""

from overread.errors import OverreadError


class RetrievalError(OverreadError):
    """Base of retrieval's errors."""

    code = "retrieval_failed"


class NoteError(RetrievalError):
    """A note or the reference list is malformed, or a note names a reference that is not listed."""

    code = "bad_note"


class IndexCacheError(RetrievalError):
    """A cached index is not what was written: truncated, changed, or of another version."""

    code = "bad_index"


class ReportError(RetrievalError):
    """Past reports are not there, cannot be read, or are more than is read."""

    code = "bad_reports"


class SourceError(RetrievalError):
    """A file cannot be read as a document: broken, too large, or of no known kind."""

    code = "bad_source"


class BaseError(RetrievalError):
    """A knowledge base on disk is not there, is damaged, or another process is writing to it."""

    code = "bad_base"


class LiveError(RetrievalError):
    """A search that leaves the machine got no answer: not reached, refused, late, or nothing that can be read."""

    code = "live_failed"
