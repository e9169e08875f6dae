"""the GRU's equations by plain loops over the fields; the parameters they count"""

import pytest
import torch

from ctr.models import RNN
from tests.conftest import mixed_schema
from tests.models.shared import categorical, count, make, rows_of


@pytest.mark.parametrize("num_layers", [1, 2])
def test_it_is_a_head_on_the_last_state_of_a_gru_over_the_fields(num_layers):
    schema = mixed_schema()
    ids, values = rows_of(schema)
    rnn = make("rnn", schema, hidden_dim=5, num_layers=num_layers)
    xv = rnn.embedding(ids, values)
    states = [xv[:, 0], xv[:, 1] + xv[:, 2] + xv[:, 3], xv[:, 4], xv[:, 5]]
    for layer in range(num_layers):
        w, u, b, c = (getattr(rnn.gru, f"{part}_l{layer}") for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        h, inputs, states = torch.zeros(len(ids), 5, dtype=torch.double), states, []
        for e in inputs:
            (r_e, z_e, n_e), (r_h, z_h, n_h) = (e @ w.T + b).split(5, 1), (h @ u.T + c).split(5, 1)
            r, z = (r_e + r_h).sigmoid(), (z_e + z_h).sigmoid()
            h = (1 - z) * (n_e + r * n_h).tanh() + z * h
            states.append(h)
    torch.testing.assert_close(rnn(ids, values), rnn.head(states[-1]).squeeze(-1))


def test_another_order_of_the_fields_is_another_model():
    schema = mixed_schema()
    ids, values = rows_of(schema)
    rnn = make("rnn", schema)
    fields = rnn.fields(rnn.embedding(ids, values))
    one, other = (rnn.gru(order)[0][:, -1] for order in (fields, fields.flip(1)))
    assert (one - other).abs().min() > 1e-6


@pytest.mark.usefixtures("_no_memory")
def test_its_parameters_are_the_table_three_gates_and_the_head():
    rnn = make("rnn", categorical(5389, 10), embedding_dim=10, hidden_dim=64)
    assert isinstance(rnn, RNN)
    assert count(rnn) == 5389 * 10 + 3 * 64 * (10 + 64 + 2) + 64 + 1


VARIANTS = {"two layers": {"num_layers": 2, "hidden_dim": 16, "dropout": 0.0}}
