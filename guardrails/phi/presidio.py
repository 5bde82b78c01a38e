"""Presidio's analyzer as the host of all recognizers, over a blank spaCy pipeline: no model, no download.

Of Presidio's own recognizers only those are taken that check more than a shape (credit card, IBAN,
wallet, DEA number, NPI, Medicare number) or that nothing else here covers (MAC, UUID, IPv6). Its e-mail
and URL recognizers, which fetch a list of domains when first used, and its slow telephone recognizer stay out.
"""

import logging
from typing import Any

import spacy
from presidio_analyzer import AnalyzerEngine, EntityRecognizer, RecognizerRegistry, RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts, SpacyNlpEngine
from presidio_analyzer.predefined_recognizers import (
    CreditCardRecognizer,
    CryptoRecognizer,
    IbanRecognizer,
    IpRecognizer,
    MacAddressRecognizer,
    MedicalLicenseRecognizer,
)

from guardrails.phi.patterns import ClinicalPatterns

KINDS = {
    "CREDIT_CARD": "account",
    "CRYPTO": "account",
    "IBAN_CODE": "account",
    "IP_ADDRESS": "ip",
    "MAC_ADDRESS": "id",
    "MEDICAL_LICENSE": "id",
}
"""Presidio's entity types that are asked for, and the kind of span each becomes."""

_LEAST_SCORE = 0.4
_CLINICAL = "CLINICAL_"


class BlankNlpEngine(SpacyNlpEngine):  # type: ignore[misc]
    """spaCy's tokenizer and nothing else: the recognizers here need no trained pipeline."""

    def __init__(self) -> None:
        super().__init__(models=[{"lang_code": "en", "model_name": "blank"}])

    def load(self) -> None:
        """Make the pipeline; nothing is read from disk or network."""
        self.nlp = {"en": spacy.blank("en")}


class ClinicalRecognizer(EntityRecognizer):  # type: ignore[misc]
    """Our clinical patterns as one of Presidio's recognizers. Entity types are ``CLINICAL_NAME`` and so on."""

    def __init__(self, patterns: ClinicalPatterns) -> None:
        self._patterns = patterns
        kinds = sorted({f"{_CLINICAL}{kind.upper()}" for kind in patterns.kinds})
        super().__init__(supported_entities=kinds, name="ClinicalRecognizer", supported_language="en")

    def load(self) -> None:
        """Nothing to load."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts) -> list[Any]:  # noqa: ARG002
        """The pattern stage's spans as Presidio results of score 0.9."""
        found = ((f"{_CLINICAL}{span.kind.upper()}", span) for span in self._patterns.spans(text))
        return [RecognizerResult(kind, span.start, span.end, 0.9) for kind, span in found if kind in entities]


def build_analyzer(patterns: ClinicalPatterns) -> AnalyzerEngine:
    """An analyzer with the clinical recognizer and the chosen ones of Presidio's."""
    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    registry = RecognizerRegistry(supported_languages=["en"])
    for recognizer in (
        ClinicalRecognizer(patterns),
        CreditCardRecognizer(),
        CryptoRecognizer(),
        IbanRecognizer(),
        IpRecognizer(),
        MacAddressRecognizer(),
        MedicalLicenseRecognizer(),
    ):
        registry.add_recognizer(recognizer)
    return AnalyzerEngine(registry=registry, nlp_engine=BlankNlpEngine(), supported_languages=["en"])


def analyze(analyzer: AnalyzerEngine, text: str) -> list[tuple[int, int, str]]:
    """What Presidio's own recognizers find: start, end and kind of each."""
    results = analyzer.analyze(text, language="en", entities=list(KINDS), score_threshold=_LEAST_SCORE)
    return [(result.start, result.end, KINDS[result.entity_type]) for result in results]
