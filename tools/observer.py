"""A language model that sees images, as a tool: what it says is an observation to verify, not a finding.

It lies on an OpenAI-compatible server that the card names (``input: {base_url, model}``). It gets the masked
pixels and a fixed question, the one file of the card, and nothing else. Only where the card has a calibration for
the image's domain do its answers become findings.
"""

import base64
import io
import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from overread.cards import CardFile, Label, ModelCard
from overread.catalogue import check_address, is_loopback
from overread.domains import covered
from overread.errors import CardError, CatalogueError
from overread.records import Finding
from tools.admission import check_domains
from tools.calibration import LogisticCalibration, decide, read_label_maps
from tools.contract import ToolImage, ToolOutput
from tools.errors import ToolError

if TYPE_CHECKING:
    import httpx

MOST_QUESTION, MOST_ANSWER_BYTES, MOST_SHOWN = 4_000, 256 * 1024, 800
"""Characters of the question, bytes of the server's answer, characters of it that are shown."""

KEY = re.compile(r"OVERREAD_KEY_[A-Z0-9_]{1,40}")
"""Names of the variables a card may take a key from: no card may send another secret of the machine."""

SCORES = {"yes": 1.0, "no": -1.0, "unsure": 0.0}
ASK_LABELS = "End with one line for each of these, with yes, no or unsure after a colon: {labels}."
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


class Observer:
    """An image-capable model on a server, as its card describes it. Implements ``Tool``."""

    def __init__(self, file: CardFile) -> None:
        card, given = file.card, file.card.input
        self._file = file
        try:
            self._url, self._model = str(given["base_url"]).rstrip("/"), str(given["model"])
            self._seconds, self._tokens = float(given.get("timeout_s", 30)), int(given.get("max_tokens", 300))
            self._side = int(given.get("size", 896))
            self._key = given.get("key_variable")
            check_address(self._url)
        except (KeyError, TypeError, ValueError) as error:
            raise CardError(
                f"card {card.name}: its input must name base_url and model, with numbers in range"
            ) from error
        except CatalogueError as error:
            raise CardError(f"card {card.name}: base_url: {error}") from None
        if not (0 < self._seconds <= 600 and 1 <= self._tokens <= 4096 and 64 <= self._side <= 4096):
            raise CardError(f"card {card.name}: timeout_s, max_tokens or size of its input is out of range")
        if self._key is not None and not (isinstance(self._key, str) and KEY.fullmatch(self._key)):
            raise CardError(f"card {card.name}: key_variable must be a name that begins with OVERREAD_KEY_")
        self._calibrations = read_label_maps(card)

    @property
    def name(self) -> str:
        """The card's name."""
        return self._file.card.name

    @property
    def card(self) -> ModelCard:
        """The card."""
        return self._file.card

    def run(self, images: Sequence[ToolImage]) -> list[ToolOutput]:
        """One output an image, in order; the server is asked once for each.

        Raises ``ToolError`` when the server fails, ``CardError`` when the question is missing or altered,
        or the key that the card names is not set.
        """
        check_domains(self.card, images)
        return [self._output(image) for image in images]

    def _output(self, image: ToolImage) -> ToolOutput:
        misfit = self.card.population.misfit(image.context)
        if misfit is not None:
            return ToolOutput(reason=misfit)
        calibrated = self._calibrated(image.domain)
        answer = self._ask(image.display, [label.name for label, _ in calibrated])
        findings: list[Finding] = []
        for label, calibration in calibrated:
            score = read_answer(answer, label.name)
            if score is not None:
                findings.append(_finding(len(findings) + 1, label, calibration, score))
        return ToolOutput(findings=tuple(findings), explanation=observation(answer))

    def _calibrated(self, domain: str) -> list[tuple[Label, LogisticCalibration]]:
        """The labels whose calibration was fitted on images of this domain."""
        if not covered(self.card.calibration.get("domains", ()), domain):
            return []
        found = [(label, self._calibrations[label.name]) for label in self.card.labels]
        return [(label, calibration) for label, calibration in found if calibration is not None]

    def _ask(self, display: NDArray[np.uint8], labels: Sequence[str]) -> str:
        import httpx

        question = self._question()
        if labels:
            question += "\n" + ASK_LABELS.format(labels=", ".join(labels))
        content = [
            {"type": "text", "text": question},
            {"type": "image_url", "image_url": {"url": data_uri(display, self._side)}},
        ]
        body = {
            "model": self._model,
            "messages": [{"role": "user", "content": content}],
            "max_tokens": self._tokens,
            "temperature": 0,
            "stream": False,
        }
        # A proxy must not see what goes to this machine.
        outside = not is_loopback(urlsplit(self._url).hostname or "")
        try:
            with (
                httpx.Client(timeout=self._seconds, follow_redirects=False, trust_env=outside) as client,
                client.stream("POST", f"{self._url}/chat/completions", json=body, headers=self._headers()) as response,
            ):
                return _content(_read(response, self.name), self.name)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ToolError(f"the server of {self.name} does not answer ({type(error).__name__})") from None

    def _headers(self) -> dict[str, str]:
        if self._key is None:
            return {}
        key = os.environ.get(self._key)
        if not key:
            raise CardError(f"card {self.name}: the variable {self._key} is not set; put the server's key in it")
        return {"Authorization": f"Bearer {key}"}

    def _question(self) -> str:
        try:
            question = self._file.weights().read_text(encoding="utf-8").strip()
        except UnicodeDecodeError:
            raise CardError(f"card {self.name}: its question is no UTF-8 text") from None
        if not 1 <= len(question) <= MOST_QUESTION:
            raise CardError(f"card {self.name}: its question must have 1 to {MOST_QUESTION} characters")
        return question


def data_uri(display: NDArray[np.uint8], side: int) -> str:
    """A picture, uint8 ``(H, W, 3)`` RGB, as a PNG data URI with no metadata, its longer side at most ``side``."""
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(display))
    picture.thumbnail((side, side), Image.Resampling.BILINEAR)
    out = io.BytesIO()
    picture.save(out, format="PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode("ascii")


def observation(answer: str) -> str:
    """What a model said, on one line, cut to ``MOST_SHOWN`` characters, and named for what it is."""
    text = " ".join(_CONTROL.sub(" ", answer).split())
    cut = text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN].rsplit(" ", 1)[0] + " …"
    return f"an observation to verify, not a finding: {cut}" if cut else "the model gave no answer"


def read_answer(answer: str, label: str) -> float | None:
    """1 for yes, -1 for no, 0 for unsure on the last line that begins with the label, or ``None``."""
    found = re.findall(
        rf"^[\s*-]*{re.escape(label)}[\s*]*:[\s*]*(yes|no|unsure)\b", answer, re.IGNORECASE | re.MULTILINE
    )
    return SCORES[found[-1].lower()] if found else None


def _finding(number: int, label: Label, calibration: LogisticCalibration, score: float) -> Finding:
    probability = calibration.probability(score)
    return Finding(
        id=f"F{number}",
        label=label.name,
        probability=probability,
        interval=calibration.interval(score),
        decision=decide(label, probability),
    )


def _read(response: "httpx.Response", name: str) -> bytes:
    if response.status_code != 200:
        raise ToolError(f"the server of {name} answers {response.status_code}")
    body = b""
    for piece in response.iter_bytes():
        body += piece
        if len(body) > MOST_ANSWER_BYTES:
            raise ToolError(f"the server of {name} answers with more than {MOST_ANSWER_BYTES} bytes")
    return body


def _content(body: bytes, name: str) -> str:
    import json

    try:
        answer: Any = json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError):
        answer = None
    if not isinstance(answer, str):
        raise ToolError(f"the server of {name} answers with something that is no chat completion")
    return answer
