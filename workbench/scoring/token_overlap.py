"""Overlap of the whitespace-separated, lower-cased words of two texts, as MedSwin's benchmark counts it.

Punctuation stays on its word: "asthma." is not "asthma". All values lie in 0..1.
"""

from __future__ import annotations

from collections import Counter


def token_f1(reference: str, prediction: str) -> float:
    """F1 of the words that both texts share, counted with repeats (SQuAD's F1; Rajpurkar et al. 2016).

    Unlike SQuAD's script it keeps articles and punctuation. 0 when either text has no word.
    """
    wanted, given = Counter(reference.lower().split()), Counter(prediction.lower().split())
    shared = (wanted & given).total()
    return 2 * shared / (wanted.total() + given.total()) if shared else 0.0


def unigram_precision(reference: str, prediction: str) -> float:
    """Share of the prediction's words that occur in the reference; 0 for no word. See `_ngram_precision`."""
    return _ngram_precision(reference, prediction, 1)


def bigram_precision(reference: str, prediction: str) -> float:
    """Share of the prediction's pairs of neighbouring words that occur in the reference; 0 for fewer than two words."""
    return _ngram_precision(reference, prediction, 2)


def _ngram_precision(reference: str, prediction: str, n: int) -> float:
    """Unclipped, unlike BLEU's: a word said ten times counts ten times, even where the reference has it once."""
    known, given = set(_ngrams(reference, n)), _ngrams(prediction, n)
    return sum(ngram in known for ngram in given) / len(given) if given else 0.0


def _ngrams(text: str, n: int) -> list[tuple[str, ...]]:
    words = text.lower().split()
    return [tuple(words[start : start + n]) for start in range(len(words) - n + 1)]
