"""The models' arguments, small and plain: no dropout, no batch norm."""

FM_OPTIONS = {"embedding_dim": 4, "init_std": 0.5, "bias": True, "embedding_dropout": 0.0}
NFM_OPTIONS = {
    "embedding_dim": 4,
    "init_std": 0.5,
    "bias": True,
    "pooling_batch_norm": False,
    "pooling_dropout": 0.0,
    "hidden_dims": [],
    "activation": "relu",
    "hidden_dropout": 0.0,
    "hidden_batch_norm": False,
    "batch_norm_eps": 1e-3,
    "head_bias": False,
    "linear_fields": None,
    "deep_fields": None,
    "weigh_logits": False,
}
DEEPFM_OPTIONS = {
    "embedding_dim": 4,
    "init_std": 0.5,
    "bias": True,
    "fm_output": "sum",
    "hidden_dims": [8, 5],
    "activation": "relu",
    "dropout": 0.0,
    "batch_norm": False,
    "linear_fields": None,
    "deep_fields": None,
    "weigh_logits": False,
}
FNN_OPTIONS = {
    "embedding_dim": 4,
    "init_std": 0.5,
    "train_w_0": True,
    "hidden_dims": [8, 5],
    "activation": "tanh",
    "dropout": 0.0,
    "batch_norm": False,
    "zero_head": False,
}
