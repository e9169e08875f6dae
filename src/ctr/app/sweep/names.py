"""Names of a sweep's folder and of its runs' folders. They follow from the words of the command alone, in any order, so
that the same command finds what it has left, and a further value in it renames nothing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from itertools import accumulate

LONGEST = 60  # characters that are shown of a command's words
SEARCH = re.compile(r"\W*hydra[./]sweeper\b")  # of Hydra's own words those that say what is searched
STRUCTURE = re.compile(r"(dataset|model|seed)=")  # what every run's name says by itself
UNSAID = re.compile(r"(dataset\.(root|cache)|trust)=")  # too long to be shown


def sweep_name(words: Sequence[str], hydra_words: Sequence[str]) -> str:
    """`model_fm-nfm_seed1-2-3f2a91` for `model=fm,nfm seed=1,2`. How the jobs are launched is no part of it."""
    said = _sorted([*words, *(word for word in hydra_words if SEARCH.match(word))])
    return f"{'_'.join(_shown(said)) or 'defaults'}-{_digest(said)}"


def run_name(words: Sequence[str], dataset: str, model: str, seed: int) -> str:
    """`frappe-nfm-lr0.01-5b0c7e-seed2`: the digest stands for what a short name cannot say, and is left out where it
    says everything."""
    others = _sorted([word for word in words if not STRUCTURE.match(word)])
    shown = _shown(others)
    clear = len(shown) == len(others) and all(re.fullmatch(r"\w+=[\w.]+", word) for word in others)
    return "-".join([dataset, model, *shown, *([] if clear else [_digest(others)]), f"seed{seed}"])


def _sorted(words: Sequence[str]) -> list[str]:
    """In an order of their own, those of the data last."""
    return sorted(words, key=lambda word: (word.startswith("dataset."), word))


def _shown(words: Sequence[str]) -> list[str]:
    """The words, short, as far as there is room for them."""
    parts = [_part(word) for word in words if not UNSAID.match(word)]
    ends = accumulate(len(part) + 1 for part in parts)
    return [part for part, end in zip(parts, ends, strict=True) if end <= LONGEST]


def _part(word: str) -> str:
    """`lr0.01` for `trainer.optimizer.lr=0.01`; of a path its last part."""
    key, _, value = word.partition("=")
    if key == "experiment":
        return _plain(value)
    name, said = re.split(r"[./@]", key)[-1], _plain(value.rstrip("/").split("/")[-1])
    return _plain(name) + ("" if said[:1].isdigit() else "_") + said


def _plain(text: str) -> str:
    """What every file system, shell and TensorBoard takes as it is."""
    return re.sub(r"[^\w.+]+", "-", text).strip("-+.")


def _digest(words: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:6]
