"""A click log drawn from a known law, so that the best possible score is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ctr.data.module import Data
from ctr.data.rows import Layout, Rows, narrowest
from ctr.data.vocabulary import IdVocabulary
from ctr.errors import UserError
from ctr.schema import FeatureSchema, Field, FieldKind


class Synthetic:
    """Rows of `num_fields` categorical tokens, each Zipf-distributed over `vocabulary` tokens, and clicks.

    The true logit is logit(`rate`) plus one effect for each order that `effects` lists:
    first  sum_i a_i, second  sum_{i<j} <b_i, b_j>, third  sum_{i<j<k} sum_d c_id c_jd c_kd,
    with a, b, c of each token drawn from N(0, 1), and each effect scaled to the standard deviation that `effects`
    gives. The label is drawn from sigmoid(logit). The first field is the group of GAUC.
    """

    def __init__(
        self,
        *,
        num_train: int,
        num_valid: int,
        num_test: int,
        num_fields: int,
        vocabulary: int,
        zipf: float,
        effects: Sequence[float],
        rank: int,
        rate: float,
        seed: int,
    ):
        if not 1 <= len(effects) <= 3:
            raise UserError(f"effects lists the strengths of orders 1 to 3, so 1 to 3 numbers; found {list(effects)}")
        if len(effects) > num_fields:
            raise UserError(f"effects lists {len(effects)} orders, which {num_fields} fields cannot have")
        if seed < 0:
            raise UserError(f"seed must be at least 0, found {seed}")
        if not 0 < rate < 1:
            raise UserError(f"rate must lie between 0 and 1, found {rate}")
        if min(num_train, num_valid, num_test, num_fields, rank) < 1 or vocabulary < 2:
            raise UserError("num_train, num_valid, num_test, num_fields and rank must be at least 1, vocabulary 2")
        self.num_rows = {"train": num_train, "valid": num_valid, "test": num_test}
        self.num_fields, self.vocabulary, self.zipf = num_fields, vocabulary, zipf
        self.effects, self.rank, self.rate, self.seed = tuple(effects), rank, rate, seed

    def open(self) -> Data:
        random = np.random.default_rng(self.seed)
        tokens = self._tokens(random)
        logits = self._logits(tokens, random)
        labels = (random.random(len(logits)) < 1 / (1 + np.exp(-logits))).astype(np.float32)

        bounds = np.cumsum([0, *self.num_rows.values()])
        parts = {split: slice(bounds[i], bounds[i + 1]) for i, split in enumerate(self.num_rows)}
        vocabularies = [IdVocabulary.fit(tokens[parts["train"], f]) for f in range(self.num_fields)]
        schema = FeatureSchema(
            tuple(
                Field(f"field_{f}", FieldKind.CATEGORICAL, known.num_features, 1, known.encoding)
                for f, known in enumerate(vocabularies)
            )
        )
        slots = tuple(range(self.num_fields))
        layout = Layout((0,) * self.num_fields, id_slots=slots, value_slots=())
        splits, law = {}, {}
        for split, rows in parts.items():
            ids = [known.ids(tokens[rows, f]) + schema.offsets[f] for f, known in enumerate(vocabularies)]
            stored = np.stack(ids, axis=1).astype(narrowest(schema.num_features))
            none = np.zeros((len(stored), 0), dtype=np.float32)
            splits[split] = Rows(layout, stored, none, labels[rows], groups=tokens[rows, 0].copy())
            law[split] = torch.from_numpy(logits[rows])
        return Data(schema, splits, labels="binary", source="the synthetic law", law=law)

    def _tokens(self, random: np.random.Generator) -> np.ndarray:
        """(N, F) int64: token numbers, 0 the most frequent."""
        chances = np.arange(1.0, self.vocabulary + 1) ** -self.zipf
        cumulative = np.cumsum(chances / chances.sum())
        draws = random.random((sum(self.num_rows.values()), self.num_fields))
        return np.minimum(np.searchsorted(cumulative, draws), self.vocabulary - 1)

    def _logits(self, tokens: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """(N,) float64, the true logits."""
        logits = np.full(len(tokens), np.log(self.rate / (1 - self.rate)))
        for order, strength in enumerate(self.effects, start=1):
            effect = np.zeros(len(tokens))
            for _ in range(1 if order == 1 else self.rank):
                table = random.standard_normal((self.num_fields, self.vocabulary))
                effect += elementary_symmetric(table[np.arange(self.num_fields), tokens], order)
            logits += strength * (effect - effect.mean()) / (effect.std() or 1.0)
        return logits


def elementary_symmetric(x: np.ndarray, order: int) -> np.ndarray:
    """The sum, over all sets of `order` columns, of the columns' product: (N, F) -> (N,), by Newton's identities."""
    p1, p2, p3 = (np.sum(x**power, axis=1) for power in (1, 2, 3))
    sums: dict[int, np.ndarray] = {1: p1, 2: (p1**2 - p2) / 2, 3: (p1**3 - 3 * p1 * p2 + 2 * p3) / 6}
    return sums[order]
