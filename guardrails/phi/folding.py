"""Text as a matcher should see it, with the way back to the original's offsets.

Look-alikes of Unicode's compatibility forms (full-width letters, ligatures, superscripts) become
plain, and characters that show nothing (zero-width spaces, joiners, soft hyphens, direction marks,
variation selectors) fall out, so that neither can hide a name. Source: Unicode Standard Annex #15.
"""

import unicodedata
from dataclasses import dataclass

_INVISIBLE = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10)}
_PLAIN = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "‐": "-", "‑": "-", "‒": "-", "–": "-", "−": "-", "⁃": "-"})
_LETTERS = str.maketrans({"ß": "s", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "æ": "a", "Æ": "A"})


@dataclass(frozen=True)
class Folded:
    """A folded text. ``at[i]`` is the offset in the original of its character ``i``; ``None``: the same."""

    text: str
    original: int
    at: tuple[int, ...] | None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The half-open stretch of the original that ``[start, end)`` of the folded text came from."""
        if self.at is None or start >= end:
            return start, end
        return self.at[start], self.at[end - 1] + 1


def is_invisible(char: str) -> bool:
    """Whether a character shows nothing and separates nothing."""
    return unicodedata.category(char) == "Cf" or ord(char) in _INVISIBLE


def fold(text: str) -> Folded:
    """The text in compatibility form without invisible characters and accents ("Müller" is "Muller"). Case is kept."""
    if text.isascii():
        return Folded(text, len(text), None)
    out: list[str] = []
    at: list[int] = []
    for offset, char in enumerate(text):
        if char.isascii():
            out.append(char)
            at.append(offset)
            continue
        if is_invisible(char):
            continue
        for piece in unicodedata.normalize("NFKD", char).translate(_PLAIN):
            if not unicodedata.combining(piece):
                out.append(piece.translate(_LETTERS))
                at.append(offset)
    return Folded("".join(out), len(text), tuple(at))
