"""What a machine needs to run Overread, checked part by part by really using each part."""

import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Literal

from overread.errors import OverreadError
from overread.records import Record
from overread.settings import Settings

PACKAGES = ("overread", "torch", "open-clip-torch", "langgraph", "langchain-core", "pydicom", "presidio-analyzer",
            "faiss-cpu", "gradio", "mcp", "a2a-sdk")  # fmt: skip
SERVER_WAIT_S = 2.0
MIN_MEMORY_GIB = 3.0
MIN_DISK_GIB = 1.0
_SAMPLE = "Patient Jane Example, MRN 48151623, seen on 12 March 2021."


BROKEN = (ImportError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)
"""What a part of a broken installation raises: each is a fault to report, not a crash."""


class Check(Record):
    """One part: ``ok``; ``note``, which works with less; or ``fault``, with which Overread does not work."""

    name: str
    status: Literal["ok", "note", "fault"]
    detail: str


def run_checks(settings: Settings) -> Iterator[Check]:
    """Every check in order, each given out as soon as it is made."""
    checks: list[tuple[str, Callable[[Settings], Check]]] = [
        ("Python", _python),
        ("Packages", _packages),
        ("Processor and memory", _machine),
        ("GPU", _gpu),
        ("Model weights", _weights),
        ("Knowledge base", _knowledge),
        ("Identity detector", _detector),
        ("Engine", _engine),
        ("State folder", _state),
        ("Cache folder", _cache),
    ]
    for name, check in checks:
        try:
            yield check(settings)
        except OverreadError as error:
            yield Check(name=name, status="fault", detail=str(error))
        except BROKEN as error:
            yield Check(name=name, status="fault", detail=f"does not work ({type(error).__name__}: {error})")


def _python(_: Settings) -> Check:
    return Check(name="Python", status="ok", detail=f"{platform.python_version()} on {platform.system()}")


def _packages(_: Settings) -> Check:
    found, missing = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Check(name="Packages", status="fault", detail=f"not installed: {', '.join(missing)}; run: make demo")
    return Check(name="Packages", status="ok", detail=", ".join(found))


def _machine(_: Settings) -> Check:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    detail = f"{cores} cores, {memory:.1f} GiB"
    if memory < MIN_MEMORY_GIB:
        return Check(name="Processor and memory", status="note", detail=f"{detail}; {MIN_MEMORY_GIB:g} GiB is advised")
    return Check(name="Processor and memory", status="ok", detail=detail)


def _gpu(_: Settings) -> Check:
    import torch

    if torch.cuda.is_available():
        return Check(name="GPU", status="ok", detail=torch.cuda.get_device_name(0))
    return Check(name="GPU", status="ok", detail="none; none is needed")


def _weights(settings: Settings) -> Check:
    from overread.cards import find_cards

    cards = find_cards(settings)
    for file in cards.values():
        file.weights()
    if not any(file.card.task == "domain" for file in cards.values()):
        return Check(name="Model weights", status="fault", detail="no card for recognising domains was found")
    return Check(name="Model weights", status="ok", detail=f"{len(cards)} models, every SHA-256 is right")


def _knowledge(settings: Settings) -> Check:
    from retrieval.search import KnowledgeBase

    notes = len(KnowledgeBase.open(settings).library.notes)
    return Check(name="Knowledge base", status="ok" if notes else "fault", detail=f"{notes} notes")


def _detector(_: Settings) -> Check:
    from guardrails.phi.identity import Identity
    from guardrails.phi.text import TextDetector, redact

    found = redact(_SAMPLE, Identity(), TextDetector()).count
    if not found:
        return Check(
            name="Identity detector", status="fault", detail="found no identity in a made-up sentence full of it"
        )
    return Check(name="Identity detector", status="ok", detail=f"found {found} identifiers in a made-up sentence")


def _engine(settings: Settings) -> Check:
    if not settings.llm_base_url:
        return Check(name="Engine", status="ok", detail="built-in composer, no language model")
    import httpx

    headers = {"Authorization": f"Bearer {settings.llm_api_key.get_secret_value()}"}
    try:
        url = f"{settings.llm_base_url.rstrip('/')}/models"
        answer = httpx.get(url, headers=headers, timeout=SERVER_WAIT_S, trust_env=False)
        answer.raise_for_status()
        models = [str(model["id"]) for model in answer.json()["data"]]
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, LookupError, TypeError) as error:
        detail = f"the language model server does not answer ({type(error).__name__}); the built-in composer will"
        return Check(name="Engine", status="note", detail=detail)
    return Check(name="Engine", status="ok", detail=f"language model server with: {', '.join(models) or 'no model'}")


def _state(settings: Settings) -> Check:
    return _folder("State folder", settings.state)


def _cache(settings: Settings) -> Check:
    return _folder("Cache folder", settings.cache)


def _folder(name: str, folder: Path) -> Check:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Check(name=name, status="fault", detail=f"cannot be written ({type(error).__name__}): {folder}")
    free = shutil.disk_usage(folder).free / 2**30
    if free < MIN_DISK_GIB:
        return Check(name=name, status="note", detail=f"only {free:.1f} GiB free: {folder}")
    return Check(name=name, status="ok", detail=f"writable, {free:.0f} GiB free: {folder}")
