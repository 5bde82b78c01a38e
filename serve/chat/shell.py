"""What the browser paints before Gradio has started: the page's head, its looks, and the first words."""

from functools import cached_property

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from overread.packaged import packaged_text
from overread.settings import Settings

STYLES = ("base", "shell", "turn", "evidence", "fields", "opening", "viewer")
"""The style sheets, in order. They travel in the page itself: nothing has to be waited for."""

SCRIPTS = ("talk", "opening", "mount")
"""The modules that the page starts, of ``static``. What they import is loaded with them."""

_LATER = b"""<link rel="stylesheet" crossorigin media="print" onload="this.media='all'\""""


class Shell:
    """Puts the shell into the page at ``/``. Plain ASGI; everything else passes as it is."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        """``app`` is what is wrapped."""
        self._app = app
        self._settings = settings

    @cached_property
    def _head(self) -> bytes:
        style = "\n".join(_file(f"style/{name}.css") for name in STYLES)
        scripts = "".join(f'<script type="module" src="/chat/static/{name}.js"></script>' for name in SCRIPTS)
        return f"<style>{style}</style>{scripts}".encode()

    @cached_property
    def _body(self) -> bytes:
        return _file("shell.html").format(kept=kept_words(self._settings)).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; put the shell into the page."""
        if scope["type"] != "http" or scope["path"] != "/" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        # The page must not come compressed: something is put into it.
        kept = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        begun: list[Message] = []
        body = bytearray()

        async def gathered(message: Message) -> None:
            if message["type"] == "http.response.start":
                begun.append(message)
                return
            body.extend(message.get("body", b""))
            if message.get("more_body", False):
                return
            page = bytes(body)
            if Headers(raw=begun[0]["headers"]).get("content-type", "").startswith("text/html"):
                page = self._with_shell(page)
                MutableHeaders(raw=begun[0]["headers"])["Cache-Control"] = "no-store"
            MutableHeaders(raw=begun[0]["headers"])["Content-Length"] = str(len(page))
            await send(begun[0])
            await send({"type": "http.response.body", "body": page, "more_body": False})

        await self._app({**scope, "headers": kept}, receive, gathered)

    def _with_shell(self, page: bytes) -> bytes:
        head, found, rest = page.partition(b"</head>")
        opened = rest.find(b">", rest.find(b"<body")) + 1
        if not found or not opened:
            return page
        # Gradio's own sheet is not needed for the first paint, so nothing waits for it.
        head = head.replace(b'<link rel="stylesheet" crossorigin', _LATER)
        return head + self._head + found + rest[:opened] + self._body + rest[opened:]


def kept_words(settings: Settings) -> str:
    """How long a conversation is kept, in words."""
    hours = f"{settings.history_hours:g} hour{'s' if settings.history_hours != 1 else ''}"
    return (
        f"A conversation is kept in this server's memory for {hours} at most: until you delete it, or the server ends."
    )


def _file(name: str) -> str:
    return packaged_text("serve.chat", name)
