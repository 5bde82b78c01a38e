"""What a language model may ask for beside the required tools: functions with strict schemas, made from the cards.

Offered is only what may run: tools whose card names the kind of one of the images, an outline, and a search of the
notes. What a model then asks for is read against the same schemas, and anything else is denied.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from agent.state import SeenImage
from overread.cards import ModelCard
from overread.domains import covered
from overread.records import Box

if TYPE_CHECKING:
    from tools.contract import Tool
    from tools.registry import ToolRegistry
    from tools.segmentation.predictor import Segmenter

ANSWER, SEARCH, OUTLINE = "write_answer", "search_knowledge", "segment"
"""Functions that no card stands for: end the asking, search the notes, outline what is in a box."""

UNKNOWN = "unknown"
"""What events call a function that was made up: its name could hold anything."""

MOST_ARGUMENTS = 4_000
"""Characters of one call's arguments that are read."""

MOST_QUERY = 300
"""Characters of a search."""

ImageFrame = tuple[str, str, int]
"""A tool, an image and a frame of it."""


@dataclass(frozen=True)
class Ask:
    """A call that is permitted. ``tool`` is ``None`` for a search and for an outline, ``image`` for a search."""

    name: str
    image: SeenImage | None = None
    frame: int = 0
    tool: "Tool | None" = None
    box: Box | None = None
    query: str = ""


@dataclass(frozen=True)
class Denied:
    """Why a call is not made: ``skipped`` when it is not permitted, ``failed`` when it cannot be read."""

    name: str
    status: Literal["skipped", "failed"]
    reason: str


@dataclass(frozen=True)
class _Function:
    name: str
    description: str
    arguments: type[BaseModel]
    images: Mapping[str, SeenImage] = field(default_factory=dict)
    tool: "Tool | None" = None

    def schema(self) -> dict[str, Any]:
        return {
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.description,
                "strict": True,
                "parameters": _plain(self.arguments.model_json_schema()),
            },
        }


class Offer:
    """The functions of one run.

    ``images`` are the accepted ones whose pixels are at hand, ``sizes`` their (H, W) by id. ``ran`` is what has run
    already, and is not run again. Without images, no ``registry`` is needed.
    """

    def __init__(
        self,
        images: Sequence[SeenImage],
        sizes: Mapping[str, tuple[int, int]],
        registry: "ToolRegistry | None",
        segmenter: "Segmenter | None" = None,
        ran: frozenset[ImageFrame] = frozenset(),
    ) -> None:
        self._ran = ran
        tools = registry.all() if registry else []
        self._tools = {tool.name for tool in tools}
        self._functions: dict[str, _Function] = {}
        own = [image for image in images if image.domain is not None and not image.prior_of]
        for tool in tools:
            fitting = {image.id: image for image in own if _names(tool.card, image)}
            if fitting:
                self._add(_of_card(_function_name(tool.name), tool, fitting, ran))
        if segmenter is not None:
            fitting = {i.id: i for i in own if not segmenter.card.domains or _names(segmenter.card, i)}
            if fitting:
                self._add(_outline(segmenter.card, fitting, sizes))
        self._add(_search())
        self._add(_answer())

    def schemas(self) -> list[dict[str, Any]]:
        """The functions as OpenAI's API takes them, each ``strict``."""
        return [function.schema() for function in self._functions.values()]

    def read(self, name: str, arguments: str) -> Ask | Denied:
        """The call that a function's name and its arguments, a JSON text, ask for; or why it is not made."""
        function = self._functions.get(name)
        if function is None:
            return Denied(name if name in self._tools else UNKNOWN, "skipped", "this tool was not offered")
        shown = function.tool.name if function.tool else function.name
        if len(arguments) > MOST_ARGUMENTS:
            return Denied(shown, "failed", "the arguments are too long")
        try:
            given = function.arguments.model_validate_json(arguments or "{}").model_dump()
        except ValidationError as error:
            fields = {str(part) for one in error.errors(include_input=False) for part in one["loc"][:1]}
            known = ", ".join(sorted(fields & function.arguments.model_fields.keys()))
            return Denied(shown, "failed", f"the arguments are not of its schema{f' ({known})' if known else ''}")
        image = function.images.get(given.get("image", ""))
        if image is None:
            return Ask(shown, query=given.get("query", ""))
        if function.tool is None:
            return Ask(shown, image, image.frame, box=(given["x0"], given["y0"], given["x1"], given["y1"]))
        frame = given.get("frame", image.frame)
        if frame >= image.frames:
            return Denied(shown, "failed", f"{image.id} has frames 0 to {image.frames - 1}")
        if (shown, image.id, frame) in self._ran:
            return Denied(shown, "skipped", f"it has run on {image.id} already; its results are in the evidence")
        return Ask(shown, image, frame, function.tool)

    def _add(self, function: _Function) -> None:
        self._functions.setdefault(function.name, function)


def _names(card: ModelCard, image: SeenImage) -> bool:
    return covered(card.domains, image.domain or "")


def _function_name(tool: str) -> str:
    """A card's name as a function may be called: no dots, at most 64 signs."""
    return tool.replace(".", "_")[:64]


def _of_card(name: str, tool: "Tool", images: Mapping[str, SeenImage], ran: frozenset[ImageFrame]) -> _Function:
    fields: dict[str, Any] = {"image": _one_of(images)}
    most = max(image.frames for image in images.values())
    if most > 1 and tool.card.task != "similarity":
        fields["frame"] = (int, Field(ge=0, le=most - 1, description="The slice or frame to look at, from 0."))
    return _Function(name, _description(tool.card, images, ran), _arguments(name, fields), images, tool)


def _description(card: ModelCard, images: Mapping[str, SeenImage], ran: frozenset[ImageFrame]) -> str:
    """What a card says of its tool, in a few sentences."""
    said = [f"{card.title}."]
    if card.labels:
        said.append(f"Looks for: {', '.join(label.name for label in card.labels)}.")
    people = ", ".join(card.population.age_bands)
    if people:
        said.append(f"Decides only for: {people}.")
    if card.experimental:
        said.append("Experimental.")
    done = [f"{one}, frame {frame}" for tool, one, frame in sorted(ran) if tool == card.name and one in images]
    if done:
        said.append(f"Has run on {'; '.join(done)}.")
    return " ".join(said)


def _outline(card: ModelCard, images: Mapping[str, SeenImage], sizes: Mapping[str, tuple[int, int]]) -> _Function:
    height = max(sizes[image][0] for image in images)
    width = max(sizes[image][1] for image in images)
    edges = {"x0": width, "y0": height, "x1": width, "y1": height}
    fields: dict[str, Any] = {"image": _one_of(images)}
    fields |= {name: (int, Field(ge=0, le=most)) for name, most in edges.items()}
    text = f"Outlines and measures the object in a box of pixels, half-open, x0 < x1, y0 < y1. {card.title}."
    return _Function(OUTLINE, text, _arguments(OUTLINE, fields), images)


def _search() -> _Function:
    query = (str, Field(min_length=2, max_length=MOST_QUERY, description="A medical term or question, in English."))
    text = "Searches the medical notes for passages to cite. For what a disease is, never for this image."
    return _Function(SEARCH, text, _arguments(SEARCH, {"query": query}))


def _answer() -> _Function:
    return _Function(ANSWER, "Nothing more is needed: the answer is written next.", _arguments(ANSWER, {}))


def _one_of(images: Mapping[str, SeenImage]) -> tuple[Any, Any]:
    words = "; ".join(f"{image.id}: {image.domain}" for image in images.values())
    return cast("Any", Literal)[tuple(images)], Field(description=f"The image: {words}.")


def _arguments(name: str, fields: Mapping[str, Any]) -> type[BaseModel]:
    make = cast("Any", create_model)
    return cast("type[BaseModel]", make(name, __config__=ConfigDict(extra="forbid", strict=True), **fields))


def _plain(schema: Any) -> Any:
    """A JSON schema without titles, every property required."""
    schema.pop("title", None)
    for part in schema.get("properties", {}).values():
        part.pop("title", None)
    return {**schema, "required": list(schema.get("properties", {}))} | (
        {} if "properties" in schema else {"properties": {}}
    )
