"""Dates as DICOM and clinicians write them."""

import re
from datetime import date, timedelta

_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip


def read_date(value: str) -> date | None:
    """The day in a DICOM DA or DT value (``20040119``, ``2004.01.19``, ``20040119101530.0``), or ``None``."""
    match = re.match(r"\s*(\d{4})[.\-/]?(\d{2})[.\-/]?(\d{2})", value)
    if match is None:
        return None
    try:
        return date(*(int(part) for part in match.groups()))
    except ValueError:
        return None


def date_pattern(day: date) -> re.Pattern[str]:
    """A pattern for every usual way of writing one day: numeric in three orders, with a month name, with or
    without the year after a month name, two-digit years, padded or not.
    """
    d, m = f"0?{day.day}", f"0?{day.month}"
    year = f"(?:{day.year}|'?{day.year % 100:02d})"
    name = _MONTHS[day.month - 1]
    short = name[:4] if name == "september" else name[:3]
    month = f"(?:{name}|{short}|{name[:3]})\\.?"
    nth = f"{d}(?:st|nd|rd|th)?"
    sep = r"\s?[-/.]\s?"
    gap = r"[\s,\-/.]{0,3}(?:of\s+)?"
    forms = (
        f"{day.year}{sep}{m}{sep}{d}",
        f"{d}{sep}{m}{sep}{year}",
        f"{m}{sep}{d}{sep}{year}",
        f"{nth}{gap}{month}(?:{gap}{year})?",
        f"{month}{gap}{nth}(?:{gap}{year})?",
        f"{day.year}{gap}{month}{gap}{nth}",
    )
    return re.compile(rf"(?<![\w.])(?:{'|'.join(forms)})(?!\w)", re.IGNORECASE)


def shift_date(value: str, days: int) -> str | None:
    """A DICOM DA or DT value moved by whole days, what stands behind the day as it is, or ``None``."""
    match = re.fullmatch(r"\s*(\d{4})[.]?(\d{2})[.]?(\d{2})((?:\d{2,6}(?:\.\d{1,6})?)?(?:[+-]\d{4})?)\s*", value)
    day = read_date(value) if match else None
    if match is None or day is None:
        return None
    try:
        moved = day + timedelta(days=days)
    except OverflowError:
        return None
    return f"{moved.year:04d}{moved.month:02d}{moved.day:02d}{match[4]}"
