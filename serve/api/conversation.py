"""What a chat completion asks, as a ``Request``: the question, its images, and the turns before it."""

import base64
import binascii
import re
import tempfile
from pathlib import Path

from agent.request import Request, Turn
from overread.records import Context
from overread.settings import Settings
from serve.api.asked import Asked
from serve.api.body import ChatBody, Extension, Message
from serve.arguments import read_context
from serve.errors import ApiError, ArgumentsError
from serve.private import write_new
from serve.studies import PREFIX, Studies

MOST_IMAGES = 20
_DATA = re.compile(r"data:[A-Za-z0-9.+-]{1,64}/[A-Za-z0-9.+-]{1,64}(?:;[A-Za-z0-9.=+-]{1,64}){0,3};base64,")


class RunFolder:
    """A private folder for the images that came in one request. It is made when the first of them does."""

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self._made: tempfile.TemporaryDirectory[str] | None = None

    def path(self) -> Path:
        """The folder, which is there."""
        if self._made is None:
            self._made = tempfile.TemporaryDirectory(prefix="run-", dir=self._parent)
        return Path(self._made.name)

    def remove(self) -> None:
        """Delete it, and what is in it."""
        if self._made is not None:
            self._made.cleanup()


class Conversation:
    """Reads requests of one owner. Images that came in a request are written into ``folder``."""

    def __init__(self, owner: str, studies: Studies, settings: Settings, folder: RunFolder) -> None:
        self._owner = owner
        self._studies = studies
        self._settings = settings
        self._folder = folder

    def read(self, body: ChatBody) -> Asked:
        """The request in a body. Raises ``ApiError``, or ``NoStudyError`` for a study that is not the owner's.

        The last message is the question. Its images are those it holds, or else those of the last message that
        holds any: a caller that keeps the history sends them again.
        """
        *before, last = body.messages
        if last.role != "user":
            raise ApiError(400, "invalid_value", "the last message must be the user's: it is the question", "messages")
        asked = next((message for message in reversed(body.messages) if message.images), None)
        if asked is not None and asked.role != "user":
            raise ApiError(400, "invalid_value", "only the user's messages may hold images", "messages")
        given = asked.images if asked else []
        if len(given) > MOST_IMAGES:
            raise ApiError(400, "invalid_value", f"one question takes up to {MOST_IMAGES} images", "messages")
        own = body.overread or Extension()
        found = [self._image(url, n) for n, url in enumerate(given, start=1)]
        prior = self._prior(own.prior)
        request = Request(
            question=last.text,
            images=tuple(path for path, _ in found),
            context=context_of(own),
            frame=own.frame,
            prior=prior[0] if prior else None,
            history=tuple(_turn(message) for message in before if message.text),
        )
        return Asked(request, tuple(handle for _, handle in (*found, *([prior] if prior else []))))

    def _image(self, url: str, n: int) -> tuple[Path, str | None]:
        if url.startswith(PREFIX):
            handle = url.removeprefix(PREFIX)
            return self._studies.path(self._owner, handle), handle
        match = _DATA.match(url)
        if match is None:
            raise ApiError(
                400,
                "invalid_image_url",
                f"image {n} is neither a base64 data URI nor study:ID; remote addresses are not fetched",
                "messages",
            )
        if (len(url) - match.end()) * 3 // 4 > self._settings.max_file_bytes:
            raise ApiError(413, "too_large", f"image {n} is larger than {self._settings.max_file_bytes} bytes")
        try:
            data = base64.b64decode(url[match.end() :], validate=True)
        except (binascii.Error, ValueError):
            raise ApiError(400, "invalid_image_url", f"image {n} is not valid base64", "messages") from None
        path = self._folder.path() / f"image-{n}"
        write_new(path, [data])
        return path, None

    def _prior(self, url: str | None) -> tuple[Path, str] | None:
        if url is None:
            return None
        if not url.startswith(PREFIX):
            raise ApiError(400, "invalid_value", "the prior is named as study:ID; upload it first", "overread.prior")
        handle = url.removeprefix(PREFIX)
        return self._studies.path(self._owner, handle), handle


def _turn(message: Message) -> Turn:
    """An earlier message. What a system message says is background from outside, not an order to follow."""
    return Turn("assistant" if message.role == "assistant" else "user", message.text)


def context_of(own: Extension) -> Context:
    """What is known of the patient and the view. Raises ``ApiError`` that names what is allowed."""
    try:
        return read_context([f"{name}={value}" for name, value in own.context.items()])
    except ArgumentsError as error:
        told = str(error).replace("--context", "overread.context")
        raise ApiError(400, "invalid_value", told, "overread.context") from None
