"""FNN's two stages on the authors' own sample: our FM, trained by the rule of their fm.py, gives the numbers that their
code gives round by round, and FNN starts from it with the input that theirs has."""

import csv
import gzip
import hashlib
import io
import itertools
import math

import numpy as np
import torch
from numpy.random import RandomState

from ctr.metrics import METRICS, Predictions, score
from ctr.models import FM, FNN
from ctr.schema import FeatureSchema, Field, FieldKind
from tests.models.options import FM_OPTIONS, FNN_OPTIONS
from tests.models.shared import ONE_HOT, rows_of, trained_fm, warm_started

RATE, DECAY, FACTORS, SEED = 0.01, 1e-6, 10, 10

MD5 = {"train": "ec2bde6f39f7aba18803f2eaa599f320", "test": "7f7ab059a1e8b3a776124b5cd7377fdb"}

TEST_AUC = [0.52966682, 0.57921564, 0.58518436, 0.58697109, 0.58772464, 0.58886967]
TEST_AUC += [0.58875592, 0.58911517, 0.58967725, 0.58978057, 0.58713791, 0.58597962]

TEST_RMSE = {1: 0.05431373, 2: 0.05413744, 10: 0.05553463, 12: 0.05518607}  # by round

Z = [-0.62336, -0.62336, 0.02572, 0.01077, -0.066, 0.03439, 0.01819]
Z += [0.02088, -0.01011, 0.00561, -0.00506, -0.0409, -0.05786]  # of row 0: w_0, w and v of its weekday, w of its hour


def weights(fm):
    """w_0 (1,), w (N,) and V (N, D) as numpy's views: what changes there changes in the FM."""
    w_0, w, v = fm.linear.bias, fm.linear.weight.table.weight[:, 0], fm.embedding.table.weight
    return [theta.detach().numpy() for theta in (w_0, w, v)]


def sgd_pass(fm, ids, labels):
    """fm.py's round: row by row theta <- (1 - decay) theta - rate * gradient, for w_0 and what the row touches.

    Written out, since autograd takes minutes a round.
    """
    w_0, w, v = weights(fm)
    for x, label in zip(ids, labels, strict=True):
        vectors = v[x]  # (S, D)
        total = vectors.sum(0)  # (D,)
        pairs = (total @ total - np.vdot(vectors, vectors)) / 2
        step = RATE * (label - 1 / (1 + math.exp(-(w_0[0] + w[x].sum() + pairs))))
        w_0[0] = (1 - DECAY) * w_0[0] + step
        w[x] = (1 - DECAY) * w[x] + step
        v[x] = (1 - DECAY) * vectors + step * (total - vectors)


def test_the_rule_steps_against_the_gradient_of_our_fm():
    ids, values = rows_of(ONE_HOT)
    labels = torch.arange(len(ids)).double() % 2
    fm, expected = trained_fm(ONE_HOT), trained_fm(ONE_HOT)
    sgd_pass(fm, ids.numpy(), labels.numpy())
    for row, label in enumerate(labels):
        expected.zero_grad()
        logit = expected(ids[row : row + 1], values[row : row + 1])
        torch.nn.functional.binary_cross_entropy_with_logits(logit, label.view(1)).backward()
        w, v = expected.linear.weight.table.weight, expected.embedding.table.weight
        with torch.no_grad():
            for theta, touched in [(expected.linear.bias, [0]), (w, ids[row]), (v, ids[row])]:
                theta[touched] -= RATE * theta.grad[touched] + DECAY * theta[touched]
    for actual, theta in zip(fm.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(actual, theta, rtol=0, atol=1e-12)


def sample(folder):
    """The schema of features.csv.gz; the ids (B, 16) and labels (B,) of train and test."""
    features = csv.DictReader(io.StringIO(gzip.decompress((folder / "features.csv.gz").read_bytes()).decode()))
    fields = itertools.groupby(row["field"] for row in features)
    schema = FeatureSchema(tuple(Field(name, FieldKind.CATEGORICAL, len(list(rows))) for name, rows in fields))
    parts = []
    for part, digest in MD5.items():
        text = gzip.decompress((folder / f"{part}.libfm.gz").read_bytes())
        assert hashlib.md5(text, usedforsecurity=False).hexdigest() == digest
        table = np.array(text.replace(b":", b" ").split(), dtype=np.int64).reshape(-1, 1 + 2 * schema.num_slots)
        parts.append((table[:, 1::2], table[:, 0].astype(float)))
    return schema, *parts


def one_hot(ids):
    return torch.from_numpy(ids), torch.ones(ids.shape, dtype=torch.double)


def scores(fm, ids, labels):
    """AUC and RMSE of the FM's own logits."""
    labels = torch.from_numpy(labels)
    with torch.no_grad():
        logits = fm(*one_hot(ids))
    predictions = Predictions(labels, labels, logits, logits.sigmoid(), torch.ones_like(labels))
    values = score(predictions, [METRICS["auc"], METRICS["rmse"]]).values
    return round(values["auc"], 8), round(values["rmse"], 8)


def test_o10_the_authors_fm_stage_and_what_their_fnn_starts_from(ipinyou):
    schema, train, test = sample(ipinyou)
    fm = FM(schema, **(FM_OPTIONS | {"embedding_dim": FACTORS})).double()
    w_0, _, v = weights(fm)
    v[:] = (RandomState(SEED).rand(*v.shape) - 0.5) * 0.05  # w_0 and w start at 0
    rounds = []
    for _ in TEST_AUC:
        sgd_pass(fm, *train)
        rounds.append(scores(fm, *test))
    assert [auc for auc, _ in rounds] == TEST_AUC
    assert {number: rounds[number - 1][1] for number in TEST_RMSE} == TEST_RMSE
    assert round(w_0[0], 5) == Z[0]  # at the last round, where they stop, not at the best

    options = FNN_OPTIONS | {"embedding_dim": FACTORS, "hidden_dims": [300, 100], "zero_head": True}
    fnn = warm_started(FNN(schema, **options), fm)
    rows = one_hot(train[0])
    z = fnn.z(*rows)
    assert z.shape == (26_773, 177)
    assert [round(number, 5) for number in z[0, : len(Z)].tolist()] == Z
    assert (fnn(*rows).sigmoid() == 0.5).all()
