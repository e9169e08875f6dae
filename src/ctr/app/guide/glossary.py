"""Arguments whose names mean the same everywhere, so that no class says it of its own."""

from __future__ import annotations

MEANINGS = {
    "embedding_dim": "D, how long the vector of a feature is.",
    "init_std": "The vectors start as normal draws of this standard deviation.",
    "bias": "w_0, a number that is added to every logit.",
    "head_bias": "A bias in the last layer.",
    "hidden_dims": "How wide each hidden layer is, from the first to the last; [] stands for no layer.",
    "hidden_dim": "How wide the recurrent state is.",
    "num_layers": "How many recurrent layers stand on each other.",
    "activation": "What follows each hidden layer.",
    "dropout": "The share of units that is dropped in training.",
    "embedding_dropout": "The share of the vectors' components that is dropped in training.",
    "pooling_dropout": "The share of the pooled vector's components that is dropped in training.",
    "pooling_batch_norm": "Batch norm on the pooled vector.",
    "batch_norm_eps": "Added to the variance in batch norm; TensorFlow's default is 1e-3, torch's 1e-5.",
    "batch_norm": "Batch norm in each layer, before its activation.",
    "num_heads": "How many heads, each for a part of the width, do the same side by side.",
    "num_cross_layers": "How many cross layers follow each other; each adds a degree.",
    "num_attention_layers": "How many attention layers follow each other.",
    "num_neurons": "How many products of fields, with exponents that are learnt, there are.",
    "attention_dim": "How wide the inside of the attention is.",
    "structure": "parallel: the parts read the same and are joined; otherwise one reads what the other puts out.",
    "reduction_ratio": "How wide the inner layer is, against the outer ones.",
    "bilinear_type": "One matrix for all pairs, for each first field, or for each pair.",
    "objective": "The loss, and how a logit becomes a prediction; task=... chooses it.",
    "metrics": "What is computed on valid and test.",
    "optimizer": "optimizer@trainer.optimizer=... chooses it.",
    "schedule": "How the learning rate goes over the steps; schedule@trainer.schedule=... chooses it.",
    "eval_batch_size": "How many rows are scored at once; it changes no score.",
    "max_epochs": "The training ends after so many passes over train.",
    "max_steps": "The training ends after so many batches; null is no limit.",
    "log_every": "Steps between two records of the training loss.",
    "precision": "fp32, or bf16 for matrix products in bfloat16; auto is bf16 where it is faster.",
    "compile": "Whether torch.compile makes code of the model.",
    "device": "cpu, cuda or cuda:1; set it as device=... for all stages.",
    "seed": "Of all draws: two runs of one seed are the same.",
    "lr": "The learning rate.",
    "eps": "Added to the denominator of a step.",
    "betas": "How slowly the means of gradients and of their squares forget.",
    "momentum": "The share of a step that the next one repeats.",
    "fused": "torch's one-pass implementation.",
    "initial_accumulator_value": "Where the sums of squared gradients start.",
    "dense_up_to": "Tables of at most so many rows are trained by dense steps.",
    "beta": "Added to the root of the squared gradients in the denominator of the rate.",
    "l1": "Weights whose gradients never add up to it stay 0.",
    "l2": "Pulls weights towards 0.",
    "num_train": "Rows of train.",
    "num_valid": "Rows of valid.",
    "num_test": "Rows of test.",
    "zipf": "How unequal the features' frequencies are: feature k comes up as often as k to minus this.",
    "rank": "The length of the vectors that the true pairs and triples are made of.",
    "root": "The folder of the files.",
    "window": "Rows that are shuffled in memory at once.",
}


def meaning(argument: str) -> str:
    """What the name stands for; `first_hidden_dims` is a case of `hidden_dims`. Empty where it is no common name."""
    words = argument.split("_")
    return next((MEANINGS[name] for i in range(len(words)) if (name := "_".join(words[i:])) in MEANINGS), "")
