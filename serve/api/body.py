"""The body of a chat completion: OpenAI's fields, and Overread's own in ``overread``."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from serve.errors import ApiError

MODEL = "overread"
MOST_MESSAGES = 200
MOST_CHARACTERS = 20_000
"""Most characters in the text of one message."""

_REFUSED = {
    "tools": "tool definitions are not taken: Overread chooses its own tools by the kind of image; leave them out",
    "functions": "function definitions are not taken: Overread chooses its own tools; leave them out",
    "response_format": "only text is written; leave response_format out",
    "logprobs": "there are no log probabilities; each claim in the overread field has its verdict instead",
    "audio": "no audio is made; leave it out",
    "modalities": 'only text is written; leave modalities out, or give ["text"]',
    "web_search_options": "nothing is looked up on the web; leave it out",
}
_HARMLESS: dict[str, tuple[Any, ...]] = {
    "tools": ([],),
    "functions": ([],),
    "response_format": ({"type": "text"},),
    "logprobs": (False,),
    "modalities": (["text"],),
}

_WORDS = {
    "missing": "is missing",
    "json_invalid": "is not valid JSON",
    "too_long": "has too many entries",
    "too_short": "has too few entries",
    "string_too_long": "is too long",
    "string_too_short": "is empty",
    "extra_forbidden": "has a field that is not known",
    "literal_error": "is none of the allowed values",
}


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class ImageUrl(_Part):
    """Where an image is: a data URI, or ``study:ID``."""

    url: str


class ContentPart(_Part):
    """A piece of a message: ``text``, ``image_url``, or an earlier ``refusal``."""

    type: Literal["text", "image_url", "refusal"]
    text: str | None = Field(None, max_length=MOST_CHARACTERS)
    refusal: str | None = Field(None, max_length=MOST_CHARACTERS)
    image_url: ImageUrl | None = None


class Message(_Part):
    """One message. ``system`` and ``developer`` are read as background, as any text from outside."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[ContentPart] | None = None
    tool_calls: list[Any] | None = Field(None, max_length=0)

    @field_validator("content")
    @classmethod
    def _bounded(cls, content: str | list[ContentPart] | None) -> str | list[ContentPart] | None:
        if isinstance(content, str) and len(content) > MOST_CHARACTERS:
            raise ValueError("too long")
        return content

    @property
    def parts(self) -> list[ContentPart]:
        """The content as parts, however it was given."""
        if isinstance(self.content, str):
            return [ContentPart(type="text", text=self.content)]
        return self.content or []

    @property
    def text(self) -> str:
        """All of its text."""
        return "\n".join(said for part in self.parts if (said := part.text or part.refusal))

    @property
    def images(self) -> list[str]:
        """Where its images are."""
        return [part.image_url.url for part in self.parts if part.type == "image_url" and part.image_url]


class StreamOptions(_Part):
    """``include_usage`` asks for one more chunk with the tokens used."""

    include_usage: bool | None = False


class Extension(BaseModel):
    """Overread's own part of a request. ``context`` is what is known of the patient and the view."""

    model_config = ConfigDict(extra="forbid")

    context: dict[str, str] = Field(default_factory=dict, max_length=8)
    frame: int | None = Field(None, ge=0, description="One frame of many, counted from 0.")
    prior: str | None = Field(None, max_length=80, description="study:ID of an earlier study of the same patient.")


class ChatBody(BaseModel):
    """The request. What OpenAI has besides, and what does not change an answer here, is passed over."""

    model_config = ConfigDict(extra="ignore")

    model: str = Field(MODEL, max_length=200)
    messages: list[Message] = Field(min_length=1, max_length=MOST_MESSAGES)
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    stop: str | list[str] | None = None
    n: int | None = 1
    overread: Extension | None = None
    tools: Any = None
    functions: Any = None
    response_format: Any = None
    logprobs: Any = None
    audio: Any = None
    modalities: Any = None
    web_search_options: Any = None

    @property
    def stops(self) -> list[str]:
        """The sequences at which the answer ends."""
        return [self.stop] if isinstance(self.stop, str) else list(self.stop or [])


def read_body(data: bytes) -> ChatBody:
    """The request in ``data``. Raises ``ApiError`` that names the field at fault and never what stood there."""
    try:
        body = ChatBody.model_validate_json(data, strict=True)
    except ValidationError as error:
        raise _fault(error) from None
    for field, why in _REFUSED.items():
        value = getattr(body, field)
        if value is not None and value not in _HARMLESS.get(field, ()):
            raise ApiError(400, "unsupported_parameter", why, field)
    if body.n not in (None, 1):
        raise ApiError(400, "unsupported_parameter", "one answer is given to a question; leave n out, or give 1", "n")
    if len(body.stops) > 4 or not all(1 <= len(stop) <= 200 for stop in body.stops):
        raise ApiError(400, "invalid_value", "stop takes up to 4 texts of 1 to 200 characters", "stop")
    if body.model != MODEL:
        raise ApiError(404, "model_not_found", f'there is one model here, "{MODEL}"; GET /v1/models lists it', "model")
    return body


def body_schema() -> dict[str, Any]:
    """The body for ``/openapi.json``, which has its definitions inline: there they cannot be named from elsewhere."""
    whole = ChatBody.model_json_schema()
    definitions = whole.pop("$defs", {})

    def inline(value: Any) -> Any:
        if isinstance(value, dict):
            name = str(value.get("$ref", "")).rpartition("/")[2]
            return inline(definitions[name]) if name in definitions else {key: inline(v) for key, v in value.items()}
        return [inline(one) for one in value] if isinstance(value, list) else value

    told: dict[str, Any] = inline(whole)
    return told


def first_fault(error: ValidationError, known: frozenset[str]) -> tuple[list[str], str]:
    """Where the first fault is, and what it is in words. Only ``known`` names are told: others may hold anything."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    path = [str(step) for step in first["loc"] if isinstance(step, int) or step in known]
    return path, _WORDS.get(str(first["type"]), "has a value that does not fit")


def _fault(error: ValidationError) -> ApiError:
    path, words = first_fault(error, _names())
    where = ".".join(path)
    if path[:1] == ["messages"] and "tool_calls" in path:
        return ApiError(400, "unsupported_parameter", "tool calls are not taken; leave tool_calls out", where)
    return ApiError(400, "invalid_value", f"{where or 'the body'} {words}; see docs/serving.md", where or None)


def _names() -> frozenset[str]:
    models: tuple[type[BaseModel], ...] = (ChatBody, Message, ContentPart, ImageUrl, StreamOptions, Extension)
    return frozenset(name for model in models for name in model.model_fields)
