"""Models of other libraries on the same prepared splits, scored by the same metrics, as rows beside ours."""

BASELINES = ("logistic_regression", "gradient_boosting", "lightgbm", "fuxictr")
