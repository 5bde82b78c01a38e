"""An answer as Markdown, and with its figures as a zip archive."""

import io
import re
import zipfile

from serve.chat.export import Account

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|!])")
_LEADING = re.compile(r"^(\s*)(\d+)([.)])|^(\s*)([-+])(?=\s)", re.MULTILINE)


def markdown(account: Account) -> str:
    """The report. Texts are escaped, so that none of them becomes a heading, a link or an image."""
    lines = [f"# {plain(account.question)}", ""]
    for title, parts in account.refusals:
        lines += [f"## {plain(title)}", "", *(f"- {plain(name)}: {plain(text)}" for name, text in parts), ""]
    lines += [f"**{plain(fault)}**\n" for fault in account.faults]
    lines += [f"{plain(paragraph)}\n" for paragraph in account.paragraphs]
    for n, figure in enumerate(account.figures, start=1):
        lines += [f"![Figure {n}](figure-{n}.png)", "", plain(figure.caption), ""]
    if account.sentences:
        lines += ["## Evidence of every sentence", ""]
        for n, one in enumerate(account.sentences, start=1):
            lines.append(f"{n}. {plain(one.text)} — *{plain(one.standing)}*")
            lines += [f"   - {plain(id_)}: {plain(text)}" for id_, text in one.evidence]
        lines.append("")
    if account.seen:
        lines += ["## What was seen", "", *(f"- {plain(id_)}: {plain(text)}" for id_, text in account.seen), ""]
    if account.sources:
        lines += ["## Sources, word for word", ""]
        for source in account.sources:
            quoted = "\n".join(f"> {plain(line)}" for line in source.text.splitlines())
            where = f"{plain(source.source)}{f' <{source.url}>' if _web(source.url) else ''}"
            lines += [f"### {plain(source.id)} {plain(source.title)}", "", quoted, "", where, ""]
    if account.steps:
        lines += ["## How it came about", "", *(f"- {plain(step)}" for step in account.steps), ""]
    return "\n".join([*lines, *(f"{plain(line)}\n" for line in account.ending)])


def markdown_with_figures(account: Account) -> bytes:
    """A zip archive of ``report.md`` and ``figure-1.png`` and so on."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("report.md", markdown(account))
        for n, figure in enumerate(account.figures, start=1):
            archive.writestr(f"figure-{n}.png", figure.png)
    return buffer.getvalue()


def plain(text: str) -> str:
    """A text that Markdown shows as it is, on one line."""
    escaped = _SPECIAL.sub(r"\\\1", " ".join(text.split()))
    return _LEADING.sub(lambda m: f"{m[1]}{m[2]}\\{m[3]}" if m[2] else f"{m[4]}\\{m[5]}", escaped)


def _web(url: str | None) -> bool:
    return url is not None and url.startswith(("http://", "https://")) and not set(url) & set("<> \n\t")
