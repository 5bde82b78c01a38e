"""Textbook sentences, in which nobody is named: MedQuAD's answers (CC BY 4.0), half to teach, half to measure."""

import hashlib
import zipfile
from pathlib import Path

from guardrails.sentences import split_sentences
from retrieval.sources.bounds import parse_xml

MOST_CHARS = 420


def taught(name: str) -> bool:
    """Whether a document is of the half that weights learn from: by the hash of its name, the same for ever."""
    return hashlib.sha256(name.encode()).digest()[0] % 2 == 0


def medquad_texts(folder: Path, *, teaching: bool, most: int) -> list[str]:
    """Two or three sentences from each of some documents of one half, from the middle of the answer."""
    texts: list[str] = []
    with zipfile.ZipFile(folder / "retrieval" / "medquad_xml.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".xml") and taught(name) == teaching)
        names.sort(key=lambda name: hashlib.sha256(name.encode()).hexdigest())
        for turn in range(8):
            for name in names:
                if len(texts) >= most:
                    return texts
                answers = parse_xml(archive.read(name)).iter("Answer")
                sentences = split_sentences("\n".join((one.text or "").strip() for one in answers))
                begin = turn * 3 + len(name) % 3
                text = "".join(sentences[begin : begin + 3]).strip()[:MOST_CHARS]
                if len(text) > 40:
                    texts.append(" ".join(text.split()) if len(name) % 4 else text)
    return texts
