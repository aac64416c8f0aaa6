"""Where a value or a ratio is from: its kind, as files name it, and the plain words for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

WORDS: Mapping[str, str] = {
    "individual": "by the model",
    "noncompartmental": "without a model",
    "model": "inside the model",
    "posterior": "posterior draws",
    "posterior_model": "posterior, inside",
    "summary": "by published summaries",
}
"""Words of each kind, the same on the screen, on the page and in pictures."""


def in_words(kind: str) -> str:
    """Say a kind in words; one that is not known here by its name.

    Examples
    --------
    >>> in_words("noncompartmental"), in_words("another")
    ('without a model', 'another')
    """
    return WORDS.get(kind, kind)


def kinds_note(kinds: Iterable[str]) -> str:
    """Say which kind in the files each of some words stands for.

    Examples
    --------
    >>> kinds_note(["individual", "model"])
    'In the files: by the model is kind individual, inside the model is kind model'
    """
    said = (f"{in_words(kind)} is kind {kind}" for kind in dict.fromkeys(kinds) if kind in WORDS)
    return f"In the files: {', '.join(said)}"
