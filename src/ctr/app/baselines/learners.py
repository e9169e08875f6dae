"""Fits a model of another library on train, and chooses what it leaves open on valid."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from itertools import islice
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.preprocessing import TargetEncoder

from ctr.app.baselines import BASELINES, fuxictr_options
from ctr.app.baselines.fitting import Fitted, Learner, Splits
from ctr.app.baselines.fuxictr import fuxictr, load_fuxictr
from ctr.app.baselines.matrices import Columns, one_hot
from ctr.errors import UserError

C = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)  # inverse strengths of L2
TREES, ROUND, PATIENCE = 2000, 50, 100  # at most; grown at a time; without a better valid score
FOLDS = 5  # of target encoding
MOST_CATEGORIES = 255  # that scikit-learn's trees take in a column


def logistic_regression(splits: Splits) -> Fitted:
    """On the one-hot rows. The strength of L2 is chosen on valid."""
    x = {name: one_hot(batch, splits.schema.num_features) for name, batch in splits.parts.items()}
    best: tuple[float, float, LogisticRegression] | None = None
    for strength in C:
        model = LogisticRegression(C=strength, max_iter=2000)
        model.fit(x["train"], splits.labels("train"), splits.weights("train"))
        gain = splits.gain(model.decision_function(x["valid"]))
        if best is None or gain > best[0]:
            best = gain, strength, model
    assert best is not None
    _, strength, model = best
    logits = {name: model.decision_function(x[name]) for name in ("valid", "test")}
    steps = int(model.n_iter_[0])
    return Fitted("sklearn.linear_model.LogisticRegression", {"C": strength}, logits, steps, model.coef_.size + 1)


def gradient_boosting(splits: Splits) -> Fitted:
    """On codes; fields of more than 255 categories by target encoding, cross-fitted on train. The number of trees is
    chosen on valid."""
    columns = Columns(splits.schema)
    large = [i for i, size in enumerate(columns.sizes) if size > MOST_CATEGORIES]
    x = {name: columns.of(batch) for name, batch in splits.parts.items()}
    if large:
        _encode_targets(x, large, splits)
    model = HistGradientBoostingClassifier(
        categorical_features=[0 < size <= MOST_CATEGORIES for size in columns.sizes],
        early_stopping=False,
        warm_start=True,
        random_state=splits.seed,
    )
    best, trees = float("-inf"), 0
    for grown in range(ROUND, TREES + 1, ROUND):
        model.set_params(max_iter=grown).fit(x["train"], splits.labels("train"), splits.weights("train"))
        for i, logits in enumerate(islice(model.staged_decision_function(x["valid"]), grown - ROUND, None)):
            if (gain := splits.gain(logits)) > best:
                best, trees = gain, grown - ROUND + i + 1
        if grown - trees >= PATIENCE:
            break
    chosen = {
        name: next(islice(model.staged_decision_function(x[name]), trees - 1, None)) for name in ("valid", "test")
    }
    target = "sklearn.ensemble.HistGradientBoostingClassifier"
    return Fitted(target, {"max_iter": trees, "learning_rate": model.learning_rate}, chosen, grown, None)


def _encode_targets(x: Mapping[str, np.ndarray], columns: list[int], splits: Splits) -> None:
    """In place of codes the rate of clicks that train has for them; a row of train by folds that it is not in."""
    codes, labels = x["train"][:, columns], splits.labels("train")
    encoder = TargetEncoder(target_type="binary").fit(codes, labels)
    for name in ("valid", "test"):
        x[name][:, columns] = encoder.transform(x[name][:, columns])
    for others, held in KFold(FOLDS, shuffle=True, random_state=splits.seed).split(codes):
        fold = TargetEncoder(target_type="binary").fit(codes[others], labels[others])
        x["train"][np.ix_(held, columns)] = fold.transform(codes[held])


def lightgbm(splits: Splits) -> Fitted:
    """On codes, all of them as categories. The number of trees is chosen on valid."""
    library = _lightgbm()
    columns = Columns(splits.schema)
    x = {name: columns.of(batch) for name, batch in splits.parts.items()}
    model = library.LGBMClassifier(
        n_estimators=TREES,
        random_state=splits.seed,
        n_jobs=splits.threads,
        deterministic=True,
        verbose=-1,
        metric="None",  # its own would come first, and end the training
    )

    def gain(labels: Any, probabilities: Any) -> tuple[str, float, bool]:
        p = np.clip(probabilities, 1e-15, 1 - 1e-15)
        return "gain", splits.gain(np.log(p / (1 - p))), True

    model.fit(
        x["train"],
        splits.labels("train"),
        sample_weight=splits.weights("train"),
        eval_X=x["valid"],
        eval_y=splits.labels("valid"),
        eval_metric=gain,
        categorical_feature=[i for i, size in enumerate(columns.sizes) if size],
        callbacks=[library.early_stopping(PATIENCE, first_metric_only=True, verbose=False)],
    )
    trees = int(model.best_iteration_)
    logits = {
        name: np.asarray(model.predict(x[name], raw_score=True, num_iteration=trees)) for name in ("valid", "test")
    }
    settings = {"n_estimators": trees, "learning_rate": model.learning_rate}
    return Fitted("lightgbm.LGBMClassifier", settings, logits, int(model.n_estimators_), None)


def _lightgbm() -> Any:
    try:
        return importlib.import_module("lightgbm")
    except ImportError as error:
        raise UserError('lightgbm is not installed: pip install -c constraints.txt -e ".[baselines]"') from error


LEARNERS = dict(
    zip(
        BASELINES,
        (
            Learner(logistic_regression, "sklearn"),
            Learner(gradient_boosting, "sklearn"),
            Learner(lightgbm, "lightgbm", _lightgbm),
            Learner(fuxictr, "fuxictr", load_fuxictr, fuxictr_options.of),
        ),
        strict=True,
    )
)
