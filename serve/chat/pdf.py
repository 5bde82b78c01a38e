"""An answer as a PDF, set with ReportLab in the fonts that it carries."""

import io
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from reportlab import __file__ as reportlab_file
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Flowable, Image, KeepTogether, ListFlowable, ListItem, Paragraph, SimpleDocTemplate

from serve.chat.export import Account, Figure

MARGIN = 20 * mm
WIDTH = A4[0] - 2 * MARGIN
TALLEST = 120 * mm
INK, SOFT = HexColor(0x17202B), HexColor(0x55616F)
_FACES = {"Vera": "Vera", "VeraBd": "VeraBd", "VeraIt": "VeraIt", "VeraBI": "VeraBI"}


@lru_cache(maxsize=1)
def _fonts() -> frozenset[int]:
    """Make the fonts known; the code points they have."""
    folder = Path(reportlab_file).parent / "fonts"
    for name, file in _FACES.items():
        pdfmetrics.registerFont(TTFont(name, str(folder / f"{file}.ttf")))
    pdfmetrics.registerFontFamily("Vera", normal="Vera", bold="VeraBd", italic="VeraIt", boldItalic="VeraBI")
    return frozenset(pdfmetrics.getFont("Vera").face.charWidths)


def printable(text: str) -> str:
    """A text in characters that the font has: others as their plain form, else by their name in brackets."""
    has = _fonts()
    out = []
    for char in text:
        if char.isspace() or ord(char) in has:
            out.append(char)
            continue
        simple = unicodedata.normalize("NFKD", char)
        base = "".join(one for one in simple if not unicodedata.combining(one))
        named = f"[{unicodedata.name(char, 'unknown sign').lower()}]"
        out.append(base if base and all(ord(one) in has for one in base) else named)
    return "".join(out)


def _style(name: str, **more: Any) -> ParagraphStyle:
    plain = {"fontName": "Vera", "fontSize": 9.5, "leading": 14, "textColor": INK, "spaceAfter": 5}
    return ParagraphStyle(name, **(plain | more))


TEXT = _style("text")
TITLE = _style("title", fontName="VeraBd", fontSize=15, leading=20, spaceAfter=10)
HEAD = _style("head", fontName="VeraBd", fontSize=11, leading=15, spaceBefore=12, spaceAfter=5, keepWithNext=True)
SMALL = _style("small", fontSize=8, leading=11.5, textColor=SOFT)
QUOTE = _style("quote", leftIndent=10, fontSize=9, leading=13)


def pdf(account: Account) -> bytes:
    """The report. Nothing in it says when or where it was made but the run's id, nor of whom it is."""
    _fonts()
    flow: list[Flowable] = [_p(account.question, TITLE)]
    for title, parts in account.refusals:
        flow += [_p(title, HEAD), *(_p(text, TEXT, name) for name, text in parts)]
    flow += [_p(fault, TEXT) for fault in account.faults]
    flow += [_p(paragraph, TEXT) for paragraph in account.paragraphs]
    flow += [KeepTogether([_image(figure), _p(figure.caption, SMALL)]) for figure in account.figures]
    if account.sentences:
        flow += [_p("Evidence of every sentence", HEAD)]
        rows = []
        for one in account.sentences:
            lines = [_p(one.text, TEXT), _p(f"{one.standing[0].upper()}{one.standing[1:]}.", SMALL)]
            rows.append(ListItem([*lines, *(_p(text, SMALL, id_) for id_, text in one.evidence)], leftIndent=16))
        flow.append(ListFlowable(rows, bulletType="1", bulletFontName="Vera", bulletFontSize=8.5, leftIndent=16))
    if account.seen:
        flow += [_p("What was seen", HEAD), *(_p(text, TEXT, id_) for id_, text in account.seen)]
    if account.sources:
        flow.append(_p("Sources, word for word", HEAD))
        for source in account.sources:
            where = f"{source.source}{f', {source.url}' if source.url else ''}"
            flow += [_p(source.title, TEXT, source.id), _p(source.text, QUOTE), _p(where, SMALL)]
    if account.steps:
        flow += [_p("How it came about", HEAD), *(_p(step, SMALL) for step in account.steps)]
    flow += [_p(line, SMALL) for line in account.ending]
    buffer = io.BytesIO()
    document = SimpleDocTemplate(
        buffer, pagesize=A4, leftMargin=MARGIN, rightMargin=MARGIN, topMargin=MARGIN, bottomMargin=MARGIN,
        title="An answer of Overread", author="Overread", creator="Overread", lang="en", invariant=1,
    )  # fmt: skip
    document.build(flow, onFirstPage=_foot, onLaterPages=_foot)
    return buffer.getvalue()


def _p(text: str, style: ParagraphStyle, lead: str | None = None) -> Paragraph:
    before = f'<font name="VeraBd">{escape(printable(lead))}</font>  ' if lead else ""
    return Paragraph(before + escape(printable(text)), style)


def _image(figure: Figure) -> Image:
    width, height = figure.size
    scale = min(WIDTH / width, TALLEST / height)
    return Image(io.BytesIO(figure.png), width * scale, height * scale, hAlign="LEFT")


def _foot(canvas: Any, _: Any) -> None:
    canvas.saveState()
    canvas.setFont("Vera", 7.5)
    canvas.setFillColor(SOFT)
    canvas.drawString(MARGIN, 11 * mm, "Overread: a second reader. Research use; not a medical device.")
    canvas.drawRightString(A4[0] - MARGIN, 11 * mm, str(canvas.getPageNumber()))
    canvas.restoreState()
