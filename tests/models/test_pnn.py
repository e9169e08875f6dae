"""worked values; l_1 by equation 11's double sum; equals DNN without products; 433,491 parameters, as BARS
logs; logits of pytorch-fm, FuxiCTR and DeepCTR-Torch"""

import itertools

import pytest
import torch
from torch import nn

from ctr.errors import UserError
from ctr.models import PNN
from tests.conftest import mixed_schema
from tests.models.shared import FIELDS, ONE_HOT_IDS, ONES, V, categorical, close, count, double, make, rows_of

INNER, OUTER = ["none", "pairs", "theta"], ["none", "superposition", "kernel"]


def fields_of(pnn, ids, values):
    """f_1 to f_F of each row of the mixed schema, by hand."""
    v = pnn.embedding.table.weight
    for row, x in zip(ids.tolist(), values, strict=True):
        xv = [x[s] * v[i] for s, i in enumerate(row)]
        yield [xv[0], xv[1] + xv[2] + xv[3], xv[4], xv[5]]


@pytest.mark.parametrize("outer", OUTER)
@pytest.mark.parametrize("inner", INNER)
def test_the_first_layer_is_a_weighted_sum_of_the_fields_and_of_their_products(inner, outer):
    schema = mixed_schema()
    ids, values = rows_of(schema)
    pnn = make("pnn", schema, inner=inner, outer=outer, hidden_dims=[6], activation="tanh")
    nn.init.normal_(pnn.mlp.layers[0].bias)
    weight, bias = pnn.mlp.layers[0].weight, pnn.mlp.layers[0].bias
    for f, logit in zip(fields_of(pnn, ids, values), pnn(ids, values), strict=True):
        pairs, p = list(itertools.combinations(range(4), 2)), []
        if inner == "pairs":
            p += [torch.dot(f[i], f[j]) for i, j in pairs]
        if outer == "superposition":
            p += sum(torch.outer(f[i], f[j]) for i, j in itertools.product(range(4), repeat=2)).flatten()
        if outer == "kernel":
            kernels = pnn.products[-1].kernels
            p += [f[i] @ kernel @ f[j] for (i, j), kernel in zip(pairs, kernels, strict=True)]
        w_z, w_p = weight[:, :16], weight[:, 16:]
        assert w_p.shape[1] == len(p)
        sums = w_z @ torch.cat(f) + bias + (w_p @ torch.stack(p) if p else 0)
        if inner == "theta":
            theta, entries = pnn.theta.theta, itertools.product(range(4), repeat=2)
            sums = sums + sum(theta[:, i] * theta[:, j] * torch.dot(f[i], f[j]) for i, j in entries)
        torch.testing.assert_close(logit, pnn.head(sums.tanh())[0])


@pytest.mark.parametrize(
    ("forms", "products"),
    [
        ({"inner": "pairs"}, [[0.03, -0.02, -0.21], [0.06, -0.115, -0.065]]),
        ({"outer": "superposition"}, [[0.04] * 4, [0.0025, -0.0225, -0.0225, 0.2025]]),
        ({"outer": "kernel"}, [[-0.08, 0.07, -0.145], [-0.26, 0.065, -0.1425]]),
    ],
)
def test_o8_products_enter_the_first_layer_after_the_fields(forms, products):
    """W_z = 0 and W_p = 1 leave them as the hidden units."""
    width = len(products[0])
    forms = {"inner": "none", "outer": "none"} | forms
    pnn = make("pnn", FIELDS, **forms, embedding_dim=2, hidden_dims=[width], activation="identity")
    with torch.no_grad():
        pnn.embedding.table.weight.copy_(double(V))
        pnn.mlp.layers[0].weight.copy_(torch.cat([torch.zeros(width, 6), torch.eye(width)], 1))
        if forms["outer"] == "kernel":
            pnn.products[0].kernels.copy_(double([[1, 2], [-1, 0.5]]))
        for unit in range(width):
            pnn.head.weight.copy_(torch.eye(width)[unit : unit + 1])
            close(pnn(ONE_HOT_IDS, ONES), [row[unit] for row in products])


def test_o8_the_theta_of_a_unit_is_added_to_its_sum():
    pnn = make("pnn", FIELDS, inner="theta", outer="none", embedding_dim=2, hidden_dims=[1], activation="relu")
    with torch.no_grad():
        pnn.embedding.table.weight.copy_(double(V))
        pnn.theta.theta.copy_(double([[0.5, -1, 2]]))
        pnn.mlp.layers[0].weight.zero_()
        pnn.mlp.layers[0].bias.fill_(-0.5)
        pnn.head.weight.fill_(1)
    close(pnn(ONE_HOT_IDS, ONES), [1.2225, 0])


def test_without_products_it_is_a_dnn():
    schema = mixed_schema()
    ids, values = rows_of(schema)
    dnn, pnn = make("dnn", schema), make("pnn", schema, inner="none", outer="none")
    pnn.load_state_dict(dnn.state_dict())
    assert torch.equal(pnn(ids, values), dnn(ids, values))


def test_the_yamls_choose_the_forms_of_their_names():
    schema = mixed_schema()
    blocks = {name: [type(p).__name__ for p in make(name, schema).products] for name in ("ipnn", "opnn", "pnn")}
    assert blocks == {"ipnn": ["InnerProducts"], "opnn": ["OuterProduct"], "pnn": ["InnerProducts", "OuterProduct"]}


@pytest.mark.usefixtures("_no_memory")
@pytest.mark.parametrize(("num_features", "num_fields", "expected"), [(5389, 10, 433491), (90239, 3, 1237191)])
def test_bars_logs_these_numbers_of_parameters(num_features, num_fields, expected):
    """Frappe_x1 and MovielensLatest_x1, without batch norm."""
    ipnn = make("ipnn", categorical(num_features, num_fields), embedding_dim=10, hidden_dims=[400, 400, 400])
    assert isinstance(ipnn, PNN)
    assert count(ipnn) == expected


@pytest.mark.usefixtures("_no_memory")
def test_more_pairs_than_fit_are_refused_and_the_papers_forms_take_them():
    schema = categorical(1000, 600)
    with pytest.raises(UserError, match="600 fields in pairs: 179,700 pairs an example"):
        make("pnn", schema, inner="pairs", outer="none")
    with pytest.raises(UserError, match="600 fields of 4 numbers in pairs: 718,800 pairs an example"):
        make("pnn", schema, inner="none", outer="kernel")
    make("pnn", schema, inner="theta", outer="superposition")


def test_theta_needs_a_hidden_layer():
    with pytest.raises(UserError, match="hidden_dims is empty"):
        make("pnn", mixed_schema(), inner="theta", hidden_dims=[])


VARIANTS = {
    "equation 11": {"inner": "theta", "outer": "none"},
    "with kernels": {"inner": "none", "outer": "kernel", "batch_norm": False},
    "both of the paper": {"inner": "theta", "outer": "superposition", "batch_norm": False},
}
