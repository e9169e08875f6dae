"""Which keys of a config say what is trained, and what they are called."""

import pytest

from ctr.app import config_keys


@pytest.mark.parametrize(
    ("key", "repetition", "place"),
    [
        ("seed", True, False),
        ("stages.train.trainer.seed", True, False),
        ("claim.low", True, False),
        ("threads", True, False),
        ("dataset.root", False, True),
        ("stages.pretrain.trainer.device", False, True),
        ("dataset.seed", False, False),  # of synthetic rows: another log
        ("dataset.root_of_all", False, False),
        ("trainer.optimizer.lr", False, False),
        ("start", False, False),
    ],
)
def test_a_key_is_of_the_repetition_of_the_place_or_of_the_training(key, repetition, place):
    assert config_keys.of_repetition(key) is repetition
    assert config_keys.of_place(key) is place
    assert config_keys.of_training(key) is not (repetition or place)


def test_a_stage_s_copy_of_a_key_of_the_root_is_known():
    assert config_keys.of_root("stages.train.model.embedding_dim") == "model.embedding_dim"
    assert config_keys.of_root("stages.train.warm_start.stage") is None
    assert config_keys.of_root("model.embedding_dim") is None


def test_a_key_is_called_by_its_shortest_own_end():
    assert config_keys.short(["a.lr", "b.lr", "b.dim"]) == {"a.lr": "a.lr", "b.lr": "b.lr", "b.dim": "dim"}
