"""Fit the kinds of question and the ranking of passages, on the developing parts of MedQuAD and PubMedQA.

Run ``python -m training.ranking DATA CACHE [--one-in 4]``; DATA is ``shared/data/retrieval``. It writes
``retrieval/data/kinds.json`` and ``retrieval/data/ranking.json`` and prints what cross-validation says of them.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.retrieval_bench import scores_of
from evaluation.retrieval_runs import Searchable, best, encode_questions, open_sets
from evaluation.retrieval_sets import PARTS, Answer, bucket, everyday, headed, medquad, passages, pubmedqa, read_medquad
from overread.packaged import packaged_yaml
from retrieval.kinds import KindWeights, kinds
from retrieval.ranking import FEATURES, FREE, Logistic, Ranker, RankingWeights, fuse_convex, ranking_weights
from retrieval.terms import terms

_WORDS = 1_000
_FOLDS = 5
_RANKING_QUESTIONS = 150


def fit_kinds(answers: Sequence[Answer], folder: Path) -> KindWeights:
    """The kinds from developing answers and developing phrases."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    phrases = packaged_yaml("evaluation", "data/lay_questions.yaml")["developing"]
    names = sorted(phrases)
    own = [a for a in answers if a.kind in phrases and PARTS[bucket(a.key, 2, "part")] == "developing"]
    own.sort(key=lambda answer: bucket(answer.key + answer.kind, 2**60, "kinds"))
    told = own[:6_000]
    vectorizer = CountVectorizer(analyzer=lambda text: sorted(set(terms(text))), max_features=_WORDS, min_df=4)
    table = vectorizer.fit_transform([passages("", answer.text)[0] for answer in told]).astype(float)
    passage = LogisticRegression(C=0.3, max_iter=500).fit(table, [answer.kind for answer in told])
    asked, labels = [], []
    for kind in names:
        of_kind = [answer for answer in own if answer.kind == kind]
        for at, phrase in enumerate([*phrases[kind], None]):
            for turn in range(_SUBJECTS_A_PHRASE if phrase else 3 * _SUBJECTS_A_PHRASE):
                answer = of_kind[(at * 31 + turn) % len(of_kind)]
                asked.append(phrase.replace("§", answer.focus) if phrase else answer.question)
                labels.append(kind)
    vectors = encode_questions(asked, folder)
    question = LogisticRegression(C=10, max_iter=500).fit(np.stack([vectors[text] for text in asked]), labels)
    if list(passage.classes_) != names or list(question.classes_) != names:
        raise ValueError("a kind has no answers")
    return KindWeights(
        names=tuple(names),
        question=question.coef_.round(2).tolist(),
        question_bias=question.intercept_.round(2).tolist(),
        words=tuple(vectorizer.get_feature_names_out()),
        passage=passage.coef_.round(2).tolist(),
        passage_bias=passage.intercept_.round(2).tolist(),
    )


_SUBJECTS_A_PHRASE = 12


def fit_logistic(features: NDArray[np.float64], labels: NDArray[np.bool_], groups: NDArray[np.int64]) -> Logistic:
    """A logistic over the candidates, and Platt's line through the scores that the other folds gave.

    Weights of what is not ``FREE`` are not below 0: where features tell much the same, as a title's do in MedQuAD, the
    best fit counts one for and one against, and a base of another kind would pay for it.
    """
    from sklearn.linear_model import LogisticRegression

    scores = np.zeros(len(labels))
    for fold in range(_FOLDS):
        held = groups == fold
        weights, bias = _bounded(features[~held], labels[~held])
        scores[held] = features[held] @ weights + bias
    line = LogisticRegression(C=1e6).fit(scores[:, None], labels)
    weights, bias = _bounded(features, labels)
    return Logistic(
        bias=round(bias, 3),
        weights={name: round(float(weight), 3) for name, weight in zip(FEATURES, weights, strict=True)},
        slope=round(float(line.coef_[0, 0]), 3),
        shift=round(float(line.intercept_[0]), 3),
    )


def _bounded(features: NDArray[np.float64], labels: NDArray[np.bool_]) -> tuple[NDArray[np.float64], float]:
    """Weights and bias of a logistic with a penalty of half their squares, and the bounds that ``FREE`` leaves."""
    from scipy.optimize import minimize
    from scipy.special import expit

    def loss(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights, score = point[:-1], features @ point[:-1] + point[-1]
        off = expit(score) - labels
        slope = np.append(features.T @ off + weights, off.sum())
        return float(np.logaddexp(0, np.where(labels, -score, score)).sum() + 0.5 * weights @ weights), slope

    bounds = [(None if name in FREE else 0.0, None) for name in FEATURES] + [(None, None)]
    found = minimize(
        loss, np.zeros(len(FEATURES) + 1), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 2_000}
    )
    return found.x[:-1], float(found.x[-1])


def examples(chosen: Searchable, folder: Path, dense: bool) -> tuple[Any, Any, Any]:
    """Features, labels and folds of the candidates of developing questions.

    A third of the questions is asked of a base without the answers, a sixth of one without the subject; and the
    everyday questions are asked too.
    """
    asked = [q for q in chosen.set.questions if q.part == "developing"][:_RANKING_QUESTIONS]
    everyday_questions = everyday("developing")
    vectors = encode_questions([*(q.text for q in asked), *everyday_questions], folder)
    tables, labels, folds = [], [], []
    for text, relevant, without, subject in [
        *((q.text, q.relevant, _taken(q.subject, q.relevant, q.related), q.subject) for q in asked),
        *((text, frozenset[int](), frozenset[int](), text) for text in everyday_questions),
    ]:
        rows, candidates = chosen.pool(text, vectors[text], without, dense)
        if not candidates:
            continue
        tables.append(chosen.ranker.features(text, candidates, vectors[text] if dense else None))
        labels.append(np.isin(chosen.owners[rows], list(relevant)))
        folds.append(np.full(len(rows), bucket(subject, _FOLDS, "fold")))
    return np.vstack(tables), np.concatenate(labels), np.concatenate(folds)


def small_examples(chosen: Searchable, folder: Path, dense: bool) -> tuple[Any, Any, Any]:
    """The same of bases of one to thirty documents, as a small department's.

    One holds what answers, the next does not, and of each an everyday question is asked too.
    """
    asked = [q for q in chosen.set.questions if q.part == "developing"][:_RANKING_QUESTIONS]
    everyday_questions = everyday("developing")
    vectors = encode_questions([*(question.text for question in asked), *everyday_questions], folder)
    tables, labels, folds = [], [], []
    for at, question in enumerate(asked):
        random = np.random.default_rng(at)
        others = set(random.integers(0, len(chosen.set.texts), _SMALL[at % len(_SMALL)]).tolist()) - question.relevant
        held = question.relevant if at % 3 else question.related - question.relevant if at % 2 else frozenset[int]()
        held = frozenset(sorted(held)[:2])
        if not held | others:
            continue
        base = chosen.some(held | others)
        for text, relevant in (
            (question.text, held & question.relevant),
            (everyday_questions[at % len(everyday_questions)], frozenset()),
        ):
            rows, candidates = base.pool(text, vectors[text], (), dense)
            if candidates:
                tables.append(base.ranker.features(text, candidates, vectors[text] if dense else None))
                labels.append(np.isin(base.owners[rows], list(relevant)))
                folds.append(np.full(len(rows), bucket(question.subject, _FOLDS, "fold")))
    return np.vstack(tables), np.concatenate(labels), np.concatenate(folds)


_SMALL = (0, 1, 2, 5, 10, 30)


def choose_share(bases: Sequence[Searchable], folder: Path) -> float:
    """The share of the cosine in the fusion with the best mean nDCG@10 over the sets' developing questions."""
    means = []
    for base in bases:
        asked = [q for q in base.set.questions if q.part == "developing"][:_RANKING_QUESTIONS]
        vectors = encode_questions([q.text for q in asked], folder)
        of_set = np.zeros((len(asked), len(_SHARES)))
        for row, question in enumerate(asked):
            bm25, cosines = base.lexical(question.text), base.cosines(vectors[question.text])
            for column, share in enumerate(_SHARES):
                found = base.documents(best(fuse_convex(bm25, cosines, share), 40))
                of_set[row, column] = scores_of(found, question.relevant)[0]
        means.append(of_set.mean(axis=0))
        sys.stdout.write(f"{base.set.name}: {dict(zip(_SHARES, of_set.mean(axis=0).round(3).tolist(), strict=True))}\n")
    return _SHARES[int(np.argmax(np.mean(means, axis=0)))]


def choose_threshold(bases: Sequence[Searchable], folder: Path, dense: bool) -> float:
    """The probability that parts best the developing questions with an answer from those without, both kinds alike.

    Questions that the weights were not fitted on, as far as there are. Without an answer is a base that lacks it; for
    words alone one that lacks the subject, as words do not tell which of a subject's passages answers.
    """
    with_answer: list[float] = []
    without_answer: list[float] = []
    for base in bases:
        asked = [q for q in base.set.questions if q.part == "developing"][-_RANKING_QUESTIONS:]
        vectors = encode_questions([q.text for q in asked], folder)
        for question in asked:
            gone = question.relevant if dense else question.related
            for out, scores in ((frozenset[int](), with_answer), (gone, without_answer)):
                vector = vectors[question.text]
                _, candidates = base.pool(question.text, vector, out, dense)
                ranked = base.ranker.rank(question.text, candidates, vector if dense else None)
                scores.append(max((one.probability for one in ranked), default=0.0))
    kept, refused = np.array(with_answer), np.array(without_answer)
    grid = np.arange(0.02, 0.99, 0.01)
    return round(float(max(grid, key=lambda t: (kept >= t).mean() + (refused < t).mean())), 2)


_SHARES = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0)


def _taken(subject: str, relevant: frozenset[int], related: frozenset[int]) -> frozenset[int]:
    turn = bucket(subject, 6, "taken")
    return related if turn == 0 else relevant if turn in (1, 2) else frozenset()


def _write(path: Path, weights: RankingWeights) -> None:
    path.write_text(json.dumps(weights.model_dump(), indent=1) + "\n", encoding="utf-8")
    ranking_weights.cache_clear()


def main() -> int:
    """Fit and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--one-in", type=int, default=4, help="use one of so many of MedQuAD's subjects")
    parser.add_argument("--only-ranking", action="store_true", help="keep the kinds that are there")
    chosen = parser.parse_args()
    target = Path(str(files("retrieval"))) / "data"
    if not chosen.only_ranking:
        fitted = fit_kinds(read_medquad(chosen.data / "medquad_xml.zip"), chosen.cache)
        (target / "kinds.json").write_text(json.dumps(fitted.model_dump(), separators=(",", ":")) + "\n", "utf-8")
        kinds.cache_clear()
    sets = [
        *pubmedqa(chosen.data / "pubmedqa_ori_pqal.json"),
        *medquad(chosen.data / "medquad_xml.zip", chosen.one_in),
        headed(chosen.data / "medquad_xml.zip", chosen.one_in),
    ]
    searchable = list(open_sets(sets, chosen.cache))
    path = target / "ranking.json"
    weights = ranking_weights().model_copy(update={"cosine_share": choose_share(searchable, chosen.cache)})
    _write(path, weights)
    for dense, name in ((True, "with_meaning"), (False, "words_alone")):
        parts = [examples(some, chosen.cache, dense) for some in searchable]
        parts += [small_examples(some, chosen.cache, dense) for some in searchable]
        features, labels, folds = (np.concatenate(column) for column in zip(*parts, strict=True))
        logistic = fit_logistic(features, labels, folds)
        weights = weights.model_copy(update={name: logistic})
        sys.stdout.write(f"{name}: {Counter(labels.tolist())} {logistic}\n")
    _write(path, weights)
    for some in searchable:
        some.ranker = Ranker(some.index.idf, len(some.texts))
    thresholds = {
        "threshold": choose_threshold(searchable, chosen.cache, True),
        "words_threshold": choose_threshold(searchable, chosen.cache, False),
    }
    sys.stdout.write(f"{thresholds}\n")
    _write(path, weights.model_copy(update=thresholds))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
