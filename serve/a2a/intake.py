"""What a message asks: its text, its images, and what is known. Of the message itself nothing else is kept."""

import re
from dataclasses import dataclass

from a2a.helpers.proto_helpers import get_data_parts
from a2a.server.agent_execution import RequestContext, SimpleRequestContextBuilder
from a2a.server.context import ServerCallContext
from a2a.types.a2a_pb2 import Message, Part, SendMessageRequest, Task
from a2a.utils.errors import InvalidParamsError
from pydantic import Field, ValidationError

from overread.errors import OverreadError
from serve.api.body import Extension, first_fault
from serve.api.conversation import MOST_IMAGES
from serve.api.service import Service
from serve.errors import ArgumentsError
from serve.studies import PREFIX

MOST_PARTS = 64
NOT_KEPT = "(what was asked is not kept)"
_REFERENCE = re.compile(rf"\s*{PREFIX}[0-9a-f]{{32}}\s*")
_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class ToldError(InvalidParamsError):
    """A message that cannot be worked on, in words of our own: they hold nothing of it and are told as they are."""


class Options(Extension):
    """A data part of a message: the fields of ``overread`` in a chat completion, and images by ``study:ID``."""

    images: list[str] = Field(default_factory=list, max_length=MOST_IMAGES)


@dataclass(frozen=True)
class Given:
    """What was asked. Images are bytes, or ``study:ID``."""

    question: str
    images: tuple[bytes | str, ...]
    own: Extension


class Intake(SimpleRequestContextBuilder):
    """Reads a message before its task begins, and takes out all it said: a task keeps its message and gives it back."""

    def __init__(self, service: Service) -> None:
        super().__init__()
        self._service = service

    async def build(
        self,
        context: ServerCallContext,
        params: SendMessageRequest | None = None,
        task_id: str | None = None,
        context_id: str | None = None,
        task: Task | None = None,
    ) -> RequestContext:
        """As the SDK's; what was given lies in ``context.state``. Raises ``InvalidParamsError`` in our own words."""
        if params is not None:
            try:
                given = _given(params.message, self._service.settings.max_file_bytes)
            except OverreadError as error:
                context.state["told"] = str(error)
                raise ToldError(str(error)) from None
            context.state["given"] = given
            clean = Message(message_id=params.message.message_id, role=params.message.role, parts=[Part(text=NOT_KEPT)])
            clean.task_id, clean.context_id = params.message.task_id, params.message.context_id
            params.message.CopyFrom(clean)
            params.ClearField("metadata")
        return await super().build(context, params, task_id, context_id, task)


def _given(message: Message, largest: int) -> Given:
    for id_ in (message.message_id, message.context_id or "none", message.task_id or "none"):
        if not _ID.fullmatch(id_):
            raise ArgumentsError("an id has letters, digits, dots, dashes and underscores, at most 128 of them")
    if len(message.parts) > MOST_PARTS:
        raise ArgumentsError(f"a message has up to {MOST_PARTS} parts")
    texts: list[str] = []
    images: list[bytes | str] = []
    own = Options()
    for part in message.parts:
        kind = part.WhichOneof("content")
        if kind == "text":
            if _REFERENCE.fullmatch(part.text):
                images.append(part.text.strip())
            else:
                texts.append(part.text)
        elif kind == "raw":
            if len(part.raw) > largest:
                raise ArgumentsError(f"an image is larger than {largest} bytes; upload it to /v1/studies")
            images.append(part.raw)
        elif kind == "url":
            images.append(_reference(part.url))
        elif kind == "data":
            own = _options(part)
            images += [_reference(one) for one in own.images]
    if len(images) > MOST_IMAGES:
        raise ArgumentsError(f"one question takes up to {MOST_IMAGES} images")
    if own.prior is not None:
        _reference(own.prior)
    question = "\n".join(texts).strip()
    if not question:
        raise ArgumentsError("the message has no text part, so there is no question")
    return Given(question, tuple(images), own)


def _reference(given: str) -> str:
    if not _REFERENCE.fullmatch(given):
        raise ArgumentsError("an image is a file part with its bytes, or study:ID; remote addresses are not fetched")
    return given.strip()


def _options(part: Part) -> Options:
    try:
        return Options.model_validate(get_data_parts([part])[0])
    except ValidationError as error:
        path, words = first_fault(error, frozenset(Options.model_fields))
        raise ArgumentsError(f"{'.'.join(path) or 'the data part'} {words}; see docs/agents.md") from None
