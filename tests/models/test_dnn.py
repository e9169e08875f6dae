"""equals DeepFM without its FM; 417,891 parameters on Frappe, as BARS's settings have (its log counts one MLP
twice); logits of pytorch-fm and FuxiCTR"""

import pytest
import torch

from ctr.models import DNN
from tests.conftest import mixed_schema
from tests.models.shared import categorical, count, make, rows_of

BARS = {"embedding_dim": 10, "hidden_dims": [400, 400, 400], "batch_norm": True}


def test_it_is_the_network_on_the_sums_of_each_fields_slots():
    schema = mixed_schema()
    ids, values = rows_of(schema)
    dnn = make("dnn", schema)
    v = dnn.embedding.table.weight
    for row, x, logit in zip(ids.tolist(), values, dnn(ids, values), strict=True):
        xv = [x[s] * v[i] for s, i in enumerate(row)]
        z = torch.cat([xv[0], xv[1] + xv[2] + xv[3], xv[4], xv[5]])
        torch.testing.assert_close(logit, dnn.head(dnn.mlp(z.unsqueeze(0)))[0, 0])


def test_it_is_deepfm_less_the_fm():
    schema = mixed_schema()
    ids, values = rows_of(schema)
    dnn, deepfm = make("dnn", schema), make("deepfm", schema)
    dnn.load_state_dict({name: tensor for name, tensor in deepfm.state_dict().items() if name in dnn.state_dict()})
    fm = deepfm.fm(ids, values, deepfm.embedding(ids, values))
    assert fm.all()
    torch.testing.assert_close(dnn(ids, values), deepfm(ids, values) - fm)


@pytest.mark.usefixtures("_no_memory")
@pytest.mark.parametrize(
    ("num_features", "num_fields", "expected", "logged"), [(5389, 10, 417891, 781892), (90239, 3, 1238391, 1574392)]
)
def test_bars_logs_one_whole_network_more_than_the_model_has(num_features, num_fields, expected, logged):
    """Frappe_x1 and MovielensLatest_x1; the log's number is the model's and that of its MLP and head once more."""
    dnn = make("dnn", categorical(num_features, num_fields), **BARS)
    assert isinstance(dnn, DNN)
    assert count(dnn) == expected
    assert count(dnn) + count(dnn.mlp) + count(dnn.head) == logged


VARIANTS = {"plain": {"batch_norm": False, "dropout": 0.0, "activation": "tanh", "hidden_dims": [30]}}
