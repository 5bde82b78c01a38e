"""The tools. Each reads its arguments, asks the agent or one of its parts, and gives a record."""

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from mcp.server.mcpserver.tools import Tool
from mcp.types import CallToolResult, ToolAnnotations

from agent.looking import Identified, identify_image
from agent.report import report_of
from agent.request import Request
from agent.searching import search_knowledge
from agent.segmenting import Segmentation, segment_image
from overread.packaged import packaged_yaml
from overread.records import Context
from serve.answers import Analysis, Answer, Gathering
from serve.api.asked import Asked
from serve.api.pictures import png, shades
from serve.errors import ArgumentsError
from serve.mcp import arguments as given
from serve.mcp.calls import Calls, Ctx, result_of
from serve.mcp.images import Images, Named
from serve.mcp.kept import Kept
from serve.mcp.redacting import redacted_dicom, redacted_text
from serve.mcp.results import (
    CasesResult,
    CheckedClaim,
    MeasuredThing,
    MeasureResult,
    RedactDicomResult,
    RedactTextResult,
    ReportResult,
    SearchResult,
    SegmentResult,
    VerifyResult,
)
from serve.outline import outline_of
from tools.segmentation.prompts import Prompt


@lru_cache(maxsize=1)
def described() -> dict[str, Any]:
    """What a client is told, as the data file has it."""
    data: dict[str, Any] = packaged_yaml("serve.mcp", "tools.yaml")
    return data


class Tools:
    """The tools of one server. Their names, and what is said of them, are in ``tools.yaml``."""

    def __init__(self, calls: Calls, images: Images, kept: Kept) -> None:
        self._calls = calls
        self._images = images
        self._kept = kept
        self._parts = calls.service.assistant.parts

    def all(self) -> list[Tool]:
        """Every tool, with its schema. An argument of another name is a fault."""
        made = []
        for name, about in described()["tools"].items():
            hints = ToolAnnotations(
                read_only_hint=about.get("read_only", True),
                destructive_hint=False,
                idempotent_hint=about.get("idempotent", True),
                open_world_hint=False,
            )
            tool = Tool.from_function(
                getattr(self, name),
                name=name,
                title=about["title"],
                description=about["description"],
                annotations=hints,
                structured_output=True,
            )
            model = tool.fn_metadata.arg_model
            model.model_config["extra"] = "forbid"
            model.model_rebuild(force=True)
            tool.parameters = model.model_json_schema(by_alias=True)
            made.append(tool)
        return made

    async def ask(
        self,
        ctx: Ctx,
        question: given.Question,
        images: given.Images = [],  # noqa: B006  read only
        context: given.Known = None,
        frame: given.Frame = None,
        prior: given.Prior = None,
    ) -> Annotated[CallToolResult, Answer]:
        """Answer a question."""
        heard = await self._run(ctx, question, images, context, frame, prior)
        links = self._calls.pictures(heard)
        return result_of(heard.answer(links), links)

    async def identify_domain(
        self, ctx: Ctx, image: given.Image, frame: given.Frame = None
    ) -> Annotated[CallToolResult, Identified]:
        """Say what kind of image it is."""
        path, _ = self._find(ctx, image)
        return result_of(await self._calls.work(ctx, True, "looking", identify_image, path, frame, self._parts))

    async def analyze_image(
        self, ctx: Ctx, image: given.Image, context: given.Known = None, frame: given.Frame = None
    ) -> Annotated[CallToolResult, Analysis]:
        """Run every tool for the image."""
        heard = await self._run(ctx, _question("analyze_image"), [image], context, frame)
        links = self._calls.pictures(heard)
        return result_of(heard.analysis(links), links)

    async def segment(
        self,
        ctx: Ctx,
        image: given.Image,
        box: given.BoxGiven = None,
        points: given.Points = [],  # noqa: B006  read only
        auto: given.Auto = False,
        frame: given.Frame = None,
        model: given.Model = None,
    ) -> Annotated[CallToolResult, SegmentResult]:
        """Outline an object."""
        found = await self._segmented(ctx, image, given.prompt_of(box, points, auto), frame, model)
        owner, links = self._calls.owner(ctx), []
        for name, pixels in (("mask", found.mask), ("doubt", found.uncertainty)):
            if pixels is not None:
                links.append(self._kept.add(owner, f"{name}.png", png(shades(pixels))))
        told = SegmentResult(**outline_of(found).model_dump(), pictures=tuple(links))
        return result_of(told, told.pictures)

    async def measure(
        self,
        ctx: Ctx,
        image: given.Image,
        box: given.BoxGiven = None,
        points: given.Points = [],  # noqa: B006  read only
        context: given.Known = None,
        frame: given.Frame = None,
    ) -> Annotated[CallToolResult, MeasureResult]:
        """Measure an object, or what the tools measure."""
        if box is None and not points:
            report = report_of((await self._run(ctx, _question("measure"), [image], context, frame)).events)
            spacing = report.studies[0].spacing_mm if report.studies else None
            measured = tuple(MeasuredThing.model_validate(one.model_dump()) for one in report.measurements)
            refusals = [one.model_dump(exclude={"study_id"}) for one in report.refusals]
            return result_of(MeasureResult(measurements=measured, spacing_mm=spacing, refusals=tuple(refusals)))
        found = outline_of(await self._segmented(ctx, image, given.prompt_of(box, points, auto=False), frame))
        place = {"study_id": found.study_id, "frame": found.frame, "tool": found.model.name if found.model else None}
        told = MeasureResult(
            measurements=tuple(MeasuredThing(**one.model_dump(), **place) for one in found.measurements),
            spacing_mm=found.spacing_mm,
            doubt=found.uncertainty,
            refusals=(found.refusal,) if found.refusal else (),
        )
        return result_of(told)

    async def find_similar_cases(
        self, ctx: Ctx, image: given.Image, context: given.Known = None, frame: given.Frame = None
    ) -> Annotated[CallToolResult, CasesResult]:
        """Find cases that look alike."""
        heard = (await self._run(ctx, _question("find_similar_cases"), [image], context, frame)).analysis()
        cases = sorted((case for tool in heard.tools for case in tool.cases), key=lambda case: -case.similarity)
        reasons = [tool.reason for tool in heard.tools if tool.tool == "similar-cases" and tool.reason]
        return result_of(
            CasesResult(
                cases=tuple(cases), reason=reasons[0] if reasons and not cases else None, refusals=heard.refusals
            )
        )

    async def search_knowledge(
        self, ctx: Ctx, query: given.Query, k: given.Many = 4, domain: given.Domain = None
    ) -> Annotated[CallToolResult, SearchResult]:
        """Find passages."""
        found = await self._calls.work(ctx, False, "searching", search_knowledge, self._parts, query, domain, k)
        return result_of(SearchResult(passages=tuple(found)))

    async def verify_claims(self, ctx: Ctx, claims: given.Claims) -> Annotated[CallToolResult, VerifyResult]:
        """Check claims against their evidence."""
        from guardrails.standalone import check_claims

        pairs = [(one.claim, one.evidence) for one in claims]
        checked = await self._calls.work(ctx, False, "checking", check_claims, pairs)
        return result_of(
            VerifyResult(
                claims=tuple(
                    CheckedClaim(verdict=one.verdict, score=round(one.score, 6), checks=one.checks) for one in checked
                )
            )
        )

    async def redact_text(self, ctx: Ctx, text: given.Text) -> Annotated[CallToolResult, RedactTextResult]:
        """Take identity out of a text."""
        return result_of(await self._calls.work(ctx, False, "redacting", redacted_text, text, self._parts))

    async def redact_dicom(
        self, ctx: Ctx, image: given.Image, output: given.Output = None
    ) -> Annotated[CallToolResult, RedactDicomResult]:
        """Take identity out of a DICOM file."""
        path, _ = self._find(ctx, image)
        target = self._images.new_file(output) if output is not None else None
        folder = self._calls.service.folder
        settings = self._calls.service.settings
        removed, data = await self._calls.work(ctx, True, "redacting", redacted_dicom, path, target, folder, settings)
        told = RedactDicomResult(removed=removed, bytes=len(data), written=target is not None)
        if target is not None:
            return result_of(told)
        link = self._kept.add(self._calls.owner(ctx), "redacted.dcm", data)
        return result_of(told.model_copy(update={"file": link}), (link,))

    async def draft_report(
        self,
        ctx: Ctx,
        image: given.Image,
        indication: given.Indication = "",
        context: given.Known = None,
        frame: given.Frame = None,
        prior: given.Prior = None,
    ) -> Annotated[CallToolResult, ReportResult]:
        """Draft a report."""
        question = _question("draft_report")
        question += f" Indication: {indication.strip()}" if indication.strip() else ""
        heard = await self._run(ctx, question, [image], context, frame, prior)
        links = self._calls.pictures(heard)
        told = ReportResult(**report_of(heard.events).model_dump(), text=heard.analysis().answer, pictures=links)
        return result_of(told, links)

    def _find(self, ctx: Ctx, image: str) -> Named:
        return self._images.find(self._calls.owner(ctx), image)

    async def _run(
        self,
        ctx: Ctx,
        question: str,
        images: list[str],
        context: Context | None,
        frame: int | None,
        prior: str | None = None,
    ) -> Gathering:
        if prior is not None and len(images) != 1:
            raise ArgumentsError("a prior is compared with one image; give one image with it")
        found = [self._find(ctx, image) for image in images]
        before = self._find(ctx, prior) if prior is not None else None
        request = Request(
            question=question,
            images=tuple(path for path, _ in found),
            context=given.context_of(context),
            frame=frame,
            prior=before[0] if before else None,
        )
        handles = tuple(handle for _, handle in (*found, *([before] if before else [])))
        return await self._calls.run(ctx, Asked(request, handles))

    async def _segmented(
        self, ctx: Ctx, image: str, prompt: Prompt | None, frame: int | None, model: str | None = None
    ) -> Segmentation:
        path: Path = self._find(ctx, image)[0]
        return await self._calls.work(ctx, True, "outlining", segment_image, path, prompt, frame, model, self._parts)


def _question(tool: str) -> str:
    question: str = described()["questions"][tool]
    return question
