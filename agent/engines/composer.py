"""The built-in composer: a chat model with no weights.

It writes only what a finding, a measurement or a quoted passage says, in fixed sentences kept as data in
``phrases.yaml``. It cannot reason, and says nothing that is not in its evidence.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from agent.engines import change, neighbours, volume
from agent.engines.draft import draft
from agent.engines.phrases import count as _count
from agent.engines.phrases import interval as _interval
from agent.engines.phrases import listed as _listed
from agent.engines.phrases import number as _number
from agent.engines.phrases import percent as _percent
from agent.engines.phrases import say as _say
from agent.errors import EngineError
from agent.evidence import Evidence, image_words, of_this_image, read_message
from agent.state import SeenFinding, SeenImage, SeenMeasurement
from overread.domains import domains, with_article
from overread.records import Passage


class ComposerChatModel(BaseChatModel):
    """The composer as a LangChain chat model, so the graph treats every engine alike.

    Send it the message of ``agent.evidence.ask_message``. The same evidence gives the same text.
    """

    @property
    def _llm_type(self) -> str:
        return "overread-composer"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **_kwargs: Any,
    ) -> ChatResult:
        text = "".join(str(part.message.content) for part in self._stream(messages, stop, run_manager))
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content=text))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **_kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        if stop:
            raise EngineError("the composer knows no stop words")
        _question, evidence = read_message(messages)
        for piece in compose(evidence):
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=piece))
            if run_manager:
                run_manager.on_llm_new_token(piece, chunk=chunk)
            yield chunk


def compose(evidence: Evidence) -> Iterator[str]:
    """The answer sentence by sentence, each with the white space that follows it."""
    if evidence.report and of_this_image(evidence).images:
        yield from draft(evidence)
    elif evidence.about_image:
        shown = of_this_image(evidence).images
        for n, image in enumerate(shown, start=1):
            sentences = list(_of_image(evidence, image, n if len(shown) > 1 else None))
            if n == len(shown):
                sentences += change.sentences(evidence)
            yield " ".join(sentences) + "\n\n"
    if evidence.report and not evidence.knowledge:
        return
    if evidence.passages:
        if evidence.about_image and evidence.images:
            yield _say("sources") + " "
        yield from _of_passages(evidence.passages)
    elif evidence.knowledge and evidence.images:
        yield _say("no_sources")


def _of_image(evidence: Evidence, image: SeenImage, n: int | None) -> Iterator[str]:
    yield _domain_sentence(image, n)
    mine = [seen for seen in evidence.findings if seen.image == image.id]
    words = with_article(image_words(image))
    outside = [seen for seen in mine if seen.reason and seen.finding.decision == "indeterminate"]
    decided = [seen for seen in mine if seen not in outside]
    single = [seen for seen in decided if not (seen.hedged or (image.slices and volume.is_absent(seen)))]
    for seen in sorted(single, key=_by_decision):
        yield _finding_sentence(seen, volume.where(seen.frame) if image.slices else "")
        if seen.experimental and seen.finding.decision != "indeterminate":
            yield _say("experimental", id=seen.finding.id)
    if image.slices:
        yield from volume.absences(decided, len(image.slices) + 1)
    for _, alike in groupby((seen for seen in decided if seen.hedged), key=lambda seen: (seen.tool, seen.frame)):
        yield _hedged_sentence(list(alike), in_volume=bool(image.slices))
    for _, group in groupby(outside, key=lambda seen: (seen.tool, seen.reason)):
        yield _outside_sentence(list(group))
    for given in _worth_saying([m for m in evidence.measurements if m.image == image.id]):
        made, where = given.measurement, volume.where(given.frame) if image.slices else ""
        yield _say(
            "measurement",
            name=f"{made.name}{where}",
            value=_number(made.value),
            unit=made.unit,
            # What else there is to say of the method stands with the evidence.
            method=made.method.split(";")[0],
            id=made.id,
        )
    yield from neighbours.sentences([c.case for c in evidence.cases if c.image == image.id], mine, evidence.cases_asked)
    for finding in evidence.untested:
        yield _say("untested", finding=finding, words=words)
    if image.slices:
        yield _say("slices", n=_count(len(image.slices) + 1), id=image.id)
    if mine:
        yield _say("only")
        yield from filter(None, [what_would_help(mine)])
    else:
        yield _say("no_tool", words=words)


def _domain_sentence(image: SeenImage, n: int | None) -> str:
    shown = {"words": with_article(image_words(image)), "probability": _percent(image.probability), "id": image.id}
    if n is not None:
        return _say("domain_many", n=n, **shown)
    whole = image.domain in domains() or not any(label.startswith(f"{image.domain}/") for label in domains())
    return _say("domain" if whole else "domain_modality", **shown)


def _finding_sentence(seen: SeenFinding, where: str = "") -> str:
    """What a tool says of a finding; ``where`` places it in a slice of a volume."""
    finding = seen.finding
    thing = finding.label.removeprefix("no ")
    shown = {
        "title": seen.title, "finding": finding.label + where, "without_no": thing + where, "thing": thing,
        "id": finding.id,
    }  # fmt: skip
    negative = "_no" if finding.denies else ""
    if finding.probability is None:
        return _say(f"undecided{negative}", **shown)
    phrase = "between" if finding.decision == "indeterminate" else finding.decision
    return _say(f"{phrase}{negative}", probability=_percent(finding.probability), interval=_interval(finding), **shown)


def _hedged_sentence(group: Sequence[SeenFinding], in_volume: bool) -> str:
    """One sentence for the labels that a tool cannot tell apart in one image, likeliest first."""
    ordered = sorted(group, key=lambda seen: -(seen.finding.probability or 0.0))
    return _say(
        "hedged",
        title=group[0].title,
        findings=_listed([f"{s.finding.label} ({_percent(s.finding.probability or 0.0)})" for s in ordered], "and"),
        where=volume.where(group[0].frame) if in_volume else " here",
        ids=", ".join(seen.finding.id for seen in ordered),
    )


def _outside_sentence(group: Sequence[SeenFinding]) -> str:
    """One sentence for all that a tool may not decide, because the patient is not of its population."""
    return _say(
        "outside",
        title=group[0].title,
        findings=_listed(list(dict.fromkeys(seen.finding.label for seen in group))),
        reason=group[0].reason,
        ids=", ".join(seen.finding.id for seen in group),
    )


def _by_decision(seen: SeenFinding) -> int:
    return ["present", "indeterminate", "absent"].index(seen.finding.decision)


def what_would_help(seen: Sequence[SeenFinding]) -> str | None:
    """What to tell Overread so that its tools may decide, as a sentence, or ``None``."""
    reasons = {item.reason for item in seen if item.reason}
    if any(reason.startswith("the age is not known") for reason in reasons):
        return _say("tell_age")
    if any(reason.startswith("the view is not known") for reason in reasons):
        return _say("tell_view")
    return None


def _worth_saying(measured: Sequence[SeenMeasurement]) -> Sequence[SeenMeasurement]:
    """Without those in pixels, which tell a reader nothing of a body, where there are others."""
    told = [given for given in measured if not given.measurement.unit.startswith("px")]
    return told or measured


def _of_passages(passages: Sequence[Passage]) -> Iterator[str]:
    from guardrails.disagreement import disagreeing
    from guardrails.sentences import split_sentences
    from retrieval.evidence import says_something

    said: set[str] = set()
    for passage in passages:
        # Passages of one library often hold the same sentence; it is quoted once, from the likeliest.
        sentences = map(str.strip, split_sentences(passage.text))
        new = [sentence for sentence in sentences if says_something(sentence) and sentence not in said]
        said.update(new)
        if new:
            yield " ".join(_cited(sentence, passage.id) for sentence in new) + "\n\n"
    for a, b in disagreeing([(passage.id, passage.text) for passage in passages]):
        yield _say("sources_differ", a=a, b=b) + "\n\n"


def _cited(sentence: str, passage_id: str) -> str:
    """A sentence of a passage, verbatim, with the passage's id before its closing mark."""
    bare = sentence.strip()
    end = bare[-1] if bare[-1:] in ".?!" else "."
    return f"{bare.rstrip('.?!')} [{passage_id}]{end}"
