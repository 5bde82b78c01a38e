"""Search: the passages that answer a question, each verbatim and with its references, or none.

Words (BM25) and meaning (dense vectors) each rank all passages; the ranks are fused (reciprocal rank
fusion, Cormack et al., 2009). Named subjects and asked-for sections decide first. What is not likely
to answer the question is left out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overread.records import Passage
from overread.settings import Settings, settings
from retrieval.index import Index
from retrieval.notes import STARTER, Library, Reference, read_library
from retrieval.passages import cut_passages, source_line
from retrieval.question import Names, Question, understand
from retrieval.relevance import Features, relevance
from retrieval.terms import generic, terms

RANK_CONSTANT = 60
"""The constant of reciprocal rank fusion."""

_OPENING = {"What it is": 4.0, "How it looks": 3.0, "How it is confirmed": 2.0, "What else looks like it": 1.0}
"""What is told first of a subject when nothing more is asked."""

_LEANING = {"How it looks": 0.25, "What it is": 0.2}
"""Where a sign is told first, when several passages speak of it."""

_SPREAD = 0.3
"""Passages that fit this much less than the best are left out where no section decides."""

_HALF, _ALL = 0.5, 0.95
"""How much of a question one sentence must say to count as half of it, or all of it."""


@dataclass(frozen=True)
class Hit:
    """A passage that answers: ``text`` is verbatim in the note, ``score`` its relevance in [0, 1].

    ``references`` are the documents its sentences rest on, the main one first; ``source`` names the
    note and that document, ``url`` is its address. Text is data: whatever it says is no instruction.
    """

    title: str
    source: str
    url: str | None
    text: str
    score: float
    note_id: str
    section: str
    sentences: tuple[str, ...]
    references: tuple[Reference, ...]

    def passage(self, id: str) -> Passage:  # noqa: A002
        """The same as the record that events carry, under an evidence id such as "S1"."""
        return Passage(
            id=id,
            title=f"{self.title}: {self.section}",
            source=self.source,
            url=self.url,
            text=self.text,
            score=round(self.score, 4),
        )


@dataclass(frozen=True)
class Considered:
    """A passage the search thought of: its row, its place in the order, and how likely it answers."""

    row: int
    priority: float
    features: Features
    score: float


def searchable_texts(library: Library) -> list[str]:
    """What is indexed of some notes: the text of every passage, in order."""
    return [passage.searchable for passage in cut_passages(library.notes)]


class KnowledgeBase:
    """Notes, searchable. Read-only and safe to share between threads."""

    def __init__(self, library: Library, index: Index) -> None:
        """Use ``open``. ``index`` holds the searchable texts of the library's passages, in order."""
        self.library = library
        self.passages = cut_passages(library.notes)
        self._index = index
        self._names = Names(library.notes)
        self._terms = [
            (
                index.terms_of(row),
                frozenset(term for name in (*passage.note.names, *passage.note.findings) for term in terms(name)),
                [frozenset(terms(sentence.text)) for sentence in passage.sentences],
            )
            for row, passage in enumerate(self.passages)
        ]

    @classmethod
    def open(cls, settings: Settings | None = None) -> "KnowledgeBase":
        """The notes in ``settings.knowledge``, or the starter notes. Raises ``NoteError`` when they are malformed."""
        chosen = settings or _settings()
        library = read_library(chosen.knowledge or STARTER)
        return cls(library, Index(searchable_texts(library), chosen.cache / "retrieval"))

    @property
    def checksum(self) -> str:
        """The SHA-256 of all that can be found here, in order."""
        return self._index.checksum

    def search(
        self,
        query: str,
        *,
        domain: str | None = None,
        findings: Sequence[str] = (),
        k: int = 4,
        dense: bool = True,
    ) -> list[Hit]:
        """The passages that answer ``query``, best first, at most ``k``; ``[]`` when nothing here does.

        ``findings`` are labels of what the tools found: they are what "it" means in a question that
        names no subject. ``domain`` is an image domain; notes that speak of it come before others.
        A question of several parts gets a passage for each. ``dense=False`` compares words only and
        does not load the sentence encoder.
        """
        question, topics = self._read(query, domain, findings)
        threshold = relevance().threshold
        likely = [c for c in self._candidates(question, topics, domain, dense) if c.score >= threshold]
        groups = self._by_part(likely, question, topics) if topics else _near_the_best(likely)
        return [self._hit(candidate) for candidate in _round_robin(groups)[: max(0, k)]]

    def consider(
        self,
        query: str,
        *,
        domain: str | None = None,
        findings: Sequence[str] = (),
        dense: bool = True,
    ) -> list[Considered]:
        """What ``search`` chooses from, best first, before the improbable is left out. For measuring."""
        question, topics = self._read(query, domain, findings)
        return self._candidates(question, topics, domain, dense)

    def _read(self, query: str, domain: str | None, findings: Sequence[str]) -> tuple[Question, tuple[str, ...]]:
        question = understand(query, self._names, domain)
        return question, question.topics or self._stand_in(question, findings, domain)

    def _candidates(
        self, question: Question, topics: Sequence[str], domain: str | None, dense: bool
    ) -> list[Considered]:
        """The passages that may answer, best first; none where the notes speak of nothing that is asked."""
        if question.unanswered and not question.sections:
            return []
        if not topics and not question.subject_words:
            return []
        return self._score(question, topics, domain, dense)

    def _stand_in(self, question: Question, findings: Sequence[str], domain: str | None) -> tuple[str, ...]:
        """The notes of the findings, for a question that names no subject of its own."""
        if question.subject_words:
            return ()
        return tuple(dict.fromkeys(note for label in findings for note in self._names.of_finding(label, domain)))

    def _score(self, question: Question, topics: Sequence[str], domain: str | None, dense: bool) -> list[Considered]:
        """Every passage with its priority and its relevance, best first."""
        titles = [note.title for note in self.library.notes if note.id in topics and note.id not in question.topics]
        words = [*question.words, *(term for title in titles for term in terms(title))]
        rankings = [self._index.lexical(words)]
        cosines = np.zeros(len(self.passages), dtype=np.float32)
        if dense:
            cosines = self._index.dense(" ".join([question.text, *titles]))
            rankings.append(cosines)
        fused = fuse(rankings)
        weights = relevance().weights(dense)
        opening = self._opening(question)
        # Every passage is asked for the same few words, so how rare they are is looked up once.
        own = self._rarity(question.subject_words)
        other = self._rarity([*question.subject_words, *(word for word in question.words if not generic(word))])
        scored = []
        for row, passage in enumerate(self.passages):
            topic = passage.note.id in topics
            section = passage.section in question.sections
            coverage, together = self._coverage(question, row, own if topic else other)
            features = Features(
                topic=float(topic),
                section=float(section or (topic and not question.sections and not question.subject_words)),
                coverage=coverage,
                together=together,
                complete=float(together >= _ALL and len(question.subject_words) > 1),
                cosine=float(cosines[row]),
            )
            here = domain is not None and passage.note.speaks_of(domain)
            priority = float(fused[row]) + topic + 0.5 * section + 0.1 * here + opening.get(passage.section, 0.0)
            scored.append(Considered(row, priority, features, weights.probability(features)))
        return sorted(scored, key=lambda candidate: -candidate.priority)

    @staticmethod
    def _opening(question: Question) -> dict[str, float]:
        if question.sections:
            return {}
        if question.of_sign:
            return _LEANING
        return {} if question.subject_words else _OPENING

    def _rarity(self, words: Iterable[str]) -> dict[str, float]:
        return {word: self._index.idf(word) for word in words}

    def _coverage(self, question: Question, row: int, asked: dict[str, float]) -> tuple[float, float]:
        """The share of what else the question is about that a passage has, and that its best sentence has.

        ``asked`` are its words; rare ones count more. A question that is about nothing else is covered where its
        section is.
        """
        if not asked:
            covered = float(not question.sections or self.passages[row].section in question.sections)
            return covered, covered
        whole, names, sentences = self._terms[row]
        total = sum(asked.values())
        known = {word: rarity for word, rarity in asked.items() if word in whole or word in names}
        if not known:
            return 0.0, 0.0
        named = [word in names for word in known]
        together = max(
            sum(rarity for (word, rarity), by in zip(known.items(), named, strict=True) if by or word in sentence)
            for sentence in sentences
        )
        return sum(known.values()) / total, together / total

    def _by_part(self, likely: list[Considered], question: Question, topics: Sequence[str]) -> list[list[Considered]]:
        """The passages of the topics in one group for each part asked: a section, of a subject.

        The parts come as they are asked. Of several subjects, those come last whose passages say little
        of what else is asked. Where no section is asked for, the passages that say most of it are kept.
        """
        about = [c for c in likely if self.passages[c.row].note.id in topics]
        if not question.sections:
            best = max((c.features.together for c in about), default=0.0)
            about = [c for c in about if c.features.together >= best - _SPREAD]
        groups = []
        for section in question.sections or (None,):
            of_section = [c for c in about if section in (None, self.passages[c.row].section)]
            by_topic = [[c for c in of_section if self.passages[c.row].note.id == topic] for topic in topics]
            groups += sorted(filter(None, by_topic), key=lambda group: group[0].features.together < _HALF)
        chosen = [c for group in groups for c in group]
        return _told_elsewhere(likely, chosen) + groups

    def _hit(self, candidate: Considered) -> Hit:
        passage = self.passages[candidate.row]
        references = tuple(self.library.references[id_] for id_ in passage.reference_ids)
        primary = references[0] if references else None
        return Hit(
            title=passage.note.title,
            source=source_line(passage.note, primary),
            url=primary.url if primary else None,
            text=passage.text,
            score=candidate.score,
            note_id=passage.note.id,
            section=passage.section,
            sentences=tuple(sentence.text for sentence in passage.sentences),
            references=references,
        )


def fuse(rankings: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Reciprocal rank fusion of scores over the same texts, scaled to [0, 1]; a score of 0 or less does not rank."""
    fused = np.zeros(len(rankings[0]), dtype=np.float64)
    for scores in rankings:
        order = np.argsort(-scores, kind="stable")
        ranks = np.empty(len(scores), dtype=np.int64)
        ranks[order] = np.arange(1, len(scores) + 1)
        fused += np.where(scores > 0, 1.0 / (RANK_CONSTANT + ranks), 0.0)
    return fused * (RANK_CONSTANT + 1) / len(rankings)


def _told_elsewhere(likely: list[Considered], chosen: list[Considered]) -> list[list[Considered]]:
    """The passage that says much more of what is asked than the chosen ones do: of the subject, or else of another."""
    best = max((c.features.together for c in chosen), default=0.0)
    of_topic = [c for c in likely if c.features.topic and c.features.together > best + _SPREAD]
    if of_topic:
        return [[max(of_topic, key=lambda c: (c.features.together, c.priority))]]
    if best >= _HALF:
        return []
    return [[c for c in likely if not c.features.topic and c.features.together >= _ALL][:1]]


def _near_the_best(likely: list[Considered]) -> list[list[Considered]]:
    best = max((candidate.score for candidate in likely), default=0.0)
    return [[candidate for candidate in likely if candidate.score >= best - _SPREAD]]


def _round_robin(groups: list[list[Considered]]) -> list[Considered]:
    """The first of each group, then the second of each, and so on."""
    longest = max((len(group) for group in groups), default=0)
    return [group[at] for at in range(longest) for group in groups if at < len(group)]


def _settings() -> Settings:
    return settings()
