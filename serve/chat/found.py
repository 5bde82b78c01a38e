"""What runs found on the images of a conversation, for the viewer: layers to lay over them, and marks to light up."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from overread.events import Event, ToolResultEvent
from overread.records import Box, Finding, Record
from serve import words
from serve.chat.viewer import viewer_data

if TYPE_CHECKING:
    from tools.contract import Picture

Colour = tuple[int, int, int]


class Layer(Record):
    """One thing laid over one frame: a ``box``, or a picture of the kind at ``href``. ``key`` is unique on the page.

    ``shown`` is whether it is laid over the image before anybody asks: doubt, and heat that is no place, are not.
    """

    key: str
    ref: str
    handle: str
    study_id: str
    frame: int
    kind: str
    title: str
    colour: Colour
    href: str | None = None
    box: Box | None = None
    shown: bool = True


class Mark(Record):
    """What an evidence id of the conversation stands for in an image: the keys of its ``layers``, if any."""

    ref: str
    handle: str
    study_id: str
    frame: int
    text: str
    layers: tuple[str, ...]


class Found(Record):
    """All layers and marks, in the order of the conversation."""

    layers: tuple[Layer, ...] = ()
    marks: tuple[Mark, ...] = ()


def found_on(
    events: Iterable[Event], handles: Mapping[str, str], drawn: "Mapping[str, Mapping[str, Picture]]", base: str
) -> Found:
    """The layers and marks of the runs' events.

    ``handles`` are the opened studies by study id; what is of another study is left out. ``drawn`` are the pictures
    that are still kept, by study id and artifact id; ``base`` is the address under which they are served.
    """
    layers: list[Layer] = []
    marks: list[Mark] = []
    for event in events:
        if not isinstance(event, ToolResultEvent) or event.study_id is None or event.study_id not in handles:
            continue
        result = _Result(event, handles[event.study_id], drawn.get(event.study_id, {}), base, len(layers))
        layers += result.layers
        marks += result.marks()
    return Found(layers=tuple(layers), marks=tuple(marks))


class _Result:
    """What one tool result gives the viewer."""

    def __init__(
        self, event: ToolResultEvent, handle: str, drawn: "Mapping[str, Picture]", base: str, before: int
    ) -> None:
        self._event = event
        self._handle = handle
        self._before = before
        self.layers: list[Layer] = []
        named = {finding.region.artifact: finding for finding in event.findings if finding.region}
        for artifact in event.artifacts:
            picture = drawn.get(artifact.id)
            if picture is None or artifact.kind == "overlay":
                continue
            finding = named.get(artifact.id)
            title = _title(artifact.kind, picture.title, finding)
            quiet = artifact.kind == "uncertainty" or (artifact.kind == "heatmap" and finding is None)
            href = f"{base}/{event.study_id}/{artifact.id}.png"
            self._add(artifact.id, artifact.kind, title, href=href, shown=not quiet)
        for finding in event.findings:
            if finding.region is not None and finding.decision != "absent":
                self._add(finding.id, "box", f"{finding.id} {words.finding_line(finding)}", box=finding.region.box)

    def _add(
        self, ref: str, kind: str, title: str, href: str | None = None, box: Box | None = None, shown: bool = True
    ) -> None:
        from tools.overlay import COLOURS

        study_id = str(self._event.study_id)
        self.layers.append(
            Layer(
                key=f"{study_id}/{ref}",
                ref=ref,
                handle=self._handle,
                study_id=study_id,
                frame=self._event.frame or 0,
                kind=kind,
                title=title,
                colour=COLOURS[(self._before + len(self.layers)) % len(COLOURS)],
                href=href,
                box=box,
                shown=shown,
            )
        )

    def marks(self) -> "list[Mark]":
        made = [
            self._mark(finding.id, words.finding_line(finding), _refs_of(finding)) for finding in self._event.findings
        ]
        outlines = [layer.ref for layer in self.layers if layer.kind == "mask"]
        made += [self._mark(one.id, words.measurement_line(one), outlines) for one in self._event.measurements]
        return made + [self._mark(layer.ref, layer.title, [layer.ref]) for layer in self.layers if layer.href]

    def _mark(self, ref: str, text: str, refs: Sequence[str]) -> Mark:
        return Mark(
            ref=ref,
            handle=self._handle,
            study_id=str(self._event.study_id),
            frame=self._event.frame or 0,
            text=f"{ref} {text}",
            layers=tuple(layer.key for layer in self.layers if layer.ref in refs),
        )


def _refs_of(finding: Finding) -> list[str]:
    artifact = finding.region.artifact if finding.region else None
    return [finding.id, artifact] if artifact else [finding.id]


def _title(kind: str, title: str, finding: Finding | None) -> str:
    said: str = viewer_data()["layers"].get(kind, kind)
    about = title or (finding.label if finding else "")
    return f"{said}: {about}" if about else said
