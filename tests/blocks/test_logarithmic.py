"""LogarithmicTransform is the product of powers that its paper writes, with its two batch norms."""

import pytest
import torch
from torch import nn

from ctr.blocks import LogarithmicTransform


def random_transform(seed: int):
    """Batch norms with statistics and weights of their own, and vectors of both signs."""
    torch.manual_seed(seed)
    num_rows, num_fields, dim, num_neurons = (int(n) for n in torch.randint(2, 6, (4,)))
    transform = LogarithmicTransform(num_fields, num_neurons, min_magnitude=1e-5).double()
    for norm in (transform.log_norm, transform.exp_norm):
        for tensor in (norm.weight, norm.running_var):
            nn.init.uniform_(tensor, 0.5, 2.0)
        for tensor in (norm.bias, norm.running_mean):
            nn.init.normal_(tensor)
    return transform, torch.randn(num_rows, num_fields, dim, dtype=torch.double)


def plain(transform):
    """Without its batch norms."""
    transform.log_norm, transform.exp_norm = nn.Identity(), nn.Identity()
    return transform


@pytest.mark.parametrize("seed", range(5))
def test_without_batch_norm_it_is_the_product_of_powers(seed):
    transform, vectors = random_transform(seed)
    out = plain(transform)(vectors)
    for b, example in enumerate(vectors.tolist()):
        for neuron, orders in enumerate(transform.orders.tolist()):
            for d in range(vectors.shape[2]):
                product = 1.0
                for f, order in enumerate(orders):
                    product *= abs(example[f][d]) ** order
                torch.testing.assert_close(out[b, neuron, d].item(), product)


@pytest.mark.parametrize("seed", range(5))
def test_the_logarithms_are_normalised_by_field_and_the_products_by_neuron(seed):
    transform, vectors = random_transform(seed)
    out = transform.eval()(vectors)

    def normal(norm, i, x):
        return (x - norm.running_mean[i]) / (norm.running_var[i] + 1e-5).sqrt() * norm.weight[i] + norm.bias[i]

    for b, d in torch.cartesian_prod(torch.arange(len(vectors)), torch.arange(vectors.shape[2])).tolist():
        logs = [normal(transform.log_norm, f, x.abs().log()) for f, x in enumerate(vectors[b, :, d])]
        for neuron, orders in enumerate(transform.orders):
            total = sum(w * log for w, log in zip(orders, logs, strict=True))
            torch.testing.assert_close(out[b, neuron, d], normal(transform.exp_norm, neuron, total.exp()))


def test_orders_of_one_and_one_are_the_element_wise_product():
    """With w = (1, 1, 0) a neuron is e_0 * e_1, the Bi-Interaction's summand; with (0, 0, 2) a square."""
    transform = plain(LogarithmicTransform(3, 2, min_magnitude=1e-5).double())
    with torch.no_grad():
        transform.orders.copy_(torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 2.0]]))
    e = torch.rand(4, 3, 5, dtype=torch.double) + 0.1
    torch.testing.assert_close(transform(e), torch.stack([e[:, 0] * e[:, 1], e[:, 2] ** 2], dim=1))


def test_magnitudes_below_the_smallest_count_as_that_and_send_no_gradient():
    transform = plain(LogarithmicTransform(2, 1, min_magnitude=0.125).double())
    with torch.no_grad():
        transform.orders.copy_(torch.tensor([[1.0, 3.0]]))
    vectors = torch.tensor([[[0.0, 0.01, -0.5], [1.0, 1.0, 1.0]]], dtype=torch.double, requires_grad=True)
    out = transform(vectors)
    torch.testing.assert_close(out[0, 0], torch.tensor([0.125, 0.125, 0.5], dtype=torch.double))
    out.sum().backward()
    assert vectors.grad[0, 0, :2].tolist() == [0, 0]
    assert vectors.grad[0, 0, 2] != 0


@pytest.mark.parametrize(("num_neurons", "min_magnitude"), [(0, 1e-5), (3, 0.0)])
def test_no_neurons_and_no_smallest_magnitude_are_refused(num_neurons, min_magnitude):
    with pytest.raises(ValueError, match="num_neurons must be at least 1 and min_magnitude above 0"):
        LogarithmicTransform(2, num_neurons, min_magnitude=min_magnitude)


def test_bf16_around_it_costs_no_accuracy():
    transform = plain(LogarithmicTransform(6, 4, min_magnitude=1e-5))
    torch.nn.init.normal_(transform.orders, std=2.0)
    vectors = torch.randn(16, 6, 3)
    expected = transform(vectors)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(transform(vectors), expected)
