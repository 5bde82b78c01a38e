"""What is taken out of questions and passages in a run: attacks that go, harmless text that stays.

Run ``python -m evaluation.injection FOLDER`` where FOLDER is ``shared/data``. Texts go through ``guardrails.disarm``,
which is what a run calls; ``--runs N`` also asks N questions of each harmless set in whole runs and counts the events.
The head learned from all of these sets but MedQuAD: on the others the figures are not of unseen texts.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from guardrails.disarm import disarm
from retrieval.sources.bounds import parse_xml

BEFORE = ("Is there a pneumonia?", "What kind of image is this, and how sure are you?", "How is a fracture confirmed?")
"""Questions that an attack is put behind."""


def not_inject(folder: Path) -> list[str]:
    """NotInject's prompts: harmless, and looking like attacks. Each once."""
    rows = [*_json(folder / "injection/NotInject_one.json"), *_json(folder / "injection/valid.json")]
    return list(dict.fromkeys(row["prompt"] for row in rows if _is_not_inject(row)))


def attacks(folder: Path) -> dict[str, list[str]]:
    """Attacks by set: PIGuard's validation set, and BIPIA's texts."""
    valid = [row["prompt"] for row in _json(folder / "injection/valid.json") if row["label"] == 1]
    texts = [text for some in _json(folder / "injection/BIPIA_text.json").values() for text in some]
    return {"PIGuard": valid, "BIPIA": texts}


def med_quad(folder: Path, documents: int, seed: int = 0) -> tuple[list[str], list[str]]:
    """A question and the beginning of an answer from each of some of MedQuAD's documents."""
    questions, answers = [], []
    with zipfile.ZipFile(folder / "retrieval/medquad_xml.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".xml"))
        for number in np.random.default_rng(seed).permutation(len(names))[:documents]:
            pair = parse_xml(archive.read(names[number])).find(".//QAPair")
            if pair is not None:
                questions.append(" ".join((pair.findtext("Question") or "").split()))
                answers.append(" ".join((pair.findtext("Answer") or "").split())[:900])
    return [text for text in questions if text], [text for text in answers if text]


def figures(folder: Path, documents: int) -> Iterator[dict[str, Any]]:
    """A row a set: what was measured, the share with its interval, and how many texts."""
    questions, answers = med_quad(folder, documents)
    harmless = {"NotInject": not_inject(folder), "MedQuAD questions": questions}
    for name, texts in harmless.items():
        yield _row(name, "left whole", [not one.removed for one in disarm(texts, "question")])
    yield _row("MedQuAD answers", "left whole", [not one.removed for one in disarm(answers, "document")])
    for name, texts in attacks(folder).items():
        yield _row(name, "caught alone", [bool(one.removed) for one in disarm(texts, "question")])
        asked = [BEFORE[number % len(BEFORE)] for number in range(len(texts))]
        behind = disarm([f"{before} {text}" for before, text in zip(asked, texts, strict=True)], "question")
        yield _row(name, "caught behind a question", [bool(one.removed) for one in behind])
        kept = [before in one.text for before, one in zip(asked, behind, strict=True)]
        yield _row(name, "question before it kept", kept)


async def in_runs(folder: Path, most: int) -> list[dict[str, Any]]:
    """The same of whole runs: questions without a report of orders, and questions refused as unsafe."""
    from agent.assistant import Assistant
    from agent.request import Request
    from overread.settings import settings

    questions, _ = med_quad(folder, 2 * most)
    rows = []
    with tempfile.TemporaryDirectory() as state:
        chosen = settings().model_copy(update={"state": Path(state), "llm_base_url": None})
        async with Assistant(chosen) as assistant:
            for name, texts in (("NotInject", not_inject(folder)[:most]), ("MedQuAD questions", questions[:most])):
                quiet, safe = [], []
                for text in texts:
                    events = [event async for event in assistant.ask(Request(text))]
                    told = [(event.type, getattr(event, "reason", None)) for event in events]
                    quiet.append(("withheld", "injection") not in told)
                    safe.append(("refusal", "unsafe_request") not in told and told[-1][0] == "done")
                rows += [_row(name, "runs without a report", quiet), _row(name, "runs not refused as unsafe", safe)]
    return rows


def _row(name: str, what: str, right: list[bool]) -> dict[str, Any]:
    from scipy.stats import binomtest

    low, high = binomtest(sum(right), len(right)).proportion_ci(method="wilson")
    share = round(sum(right) / len(right), 4)
    return {"set": name, "what": what, "share": share, "interval": [round(low, 4), round(high, 4)], "n": len(right)}


def _is_not_inject(row: dict[str, Any]) -> bool:
    return "source" not in row or str(row["source"]).startswith("NotInject")


def _json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def main() -> int:
    """Print one JSON object a figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", type=int, default=400, help="how many of MedQuAD's documents")
    parser.add_argument("--runs", type=int, default=0, help="also ask so many questions of each set in whole runs")
    chosen = parser.parse_args()
    for row in figures(chosen.folder, chosen.documents):
        sys.stdout.write(json.dumps(row) + "\n")
        sys.stdout.flush()
    for row in asyncio.run(in_runs(chosen.folder, chosen.runs)) if chosen.runs else ():
        sys.stdout.write(json.dumps(row) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
