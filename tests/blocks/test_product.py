"""Products of field embeddings against the plain loops of their definitions, and worked values (O8)."""

import itertools

import pytest
import torch

from ctr.blocks import InnerProducts, KernelProducts, OuterProduct, ThetaProducts
from ctr.errors import UserError

S1_S2 = [[[0.1, 0.2], [0.5, -0.1], [-0.4, 0.1]], [[-0.3, 0.4], [0.2, 0.3], [0.05, -0.25]]]


def double(numbers):
    return torch.tensor(numbers, dtype=torch.double)


def close(actual, expected):
    torch.testing.assert_close(actual, double(expected), atol=1e-9, rtol=0)


def random_fields(seed: int):
    torch.manual_seed(seed)
    num_rows, num_fields, dim = (int(n) for n in torch.randint(2, 7, (3,)))
    return torch.randn(num_rows, num_fields, dim, dtype=torch.double)


@pytest.mark.parametrize("seed", range(5))
def test_inner_products_are_those_of_all_pairs_in_order(seed):
    fields = random_fields(seed)
    products = InnerProducts(fields.shape[1])
    expected = [[torch.dot(u, v).item() for u, v in itertools.combinations(row, 2)] for row in fields]
    close(products(fields), expected)
    assert products.out_features == len(expected[0])


@pytest.mark.parametrize("seed", range(5))
def test_theta_products_are_the_double_sum_of_factorized_weights_times_inner_products(seed):
    fields = random_fields(seed)
    products = ThetaProducts(fields.shape[1], 5).double()
    for row, units in zip(fields, products(fields), strict=True):
        for theta, unit in zip(products.theta, units, strict=True):
            pairs = itertools.product(range(len(row)), repeat=2)
            total = sum(theta[i] * theta[j] * torch.dot(row[i], row[j]) for i, j in pairs)
            torch.testing.assert_close(unit, total)


@pytest.mark.parametrize("seed", range(5))
def test_the_outer_product_is_the_sum_over_all_pairs(seed):
    fields = random_fields(seed)
    product = OuterProduct(fields.shape[2])
    for row, entries in zip(fields, product(fields), strict=True):
        total = sum(torch.outer(row[i], row[j]) for i, j in itertools.product(range(len(row)), repeat=2))
        torch.testing.assert_close(entries, total.flatten())
        assert len(entries) == product.out_features


@pytest.mark.parametrize("seed", range(5))
def test_kernel_products_give_each_pair_a_matrix_of_its_own(seed):
    fields = random_fields(seed)
    products = KernelProducts(fields.shape[1], fields.shape[2]).double()
    for row, outputs in zip(fields, products(fields), strict=True):
        pairs = list(itertools.combinations(row, 2))
        assert len(outputs) == len(products.kernels) == len(pairs) == products.out_features
        for (u, v), kernel, output in zip(pairs, products.kernels, outputs, strict=True):
            torch.testing.assert_close(output, u @ kernel @ v)


def test_o8_inner_products():
    close(InnerProducts(3)(double(S1_S2)), [[0.03, -0.02, -0.21], [0.06, -0.115, -0.065]])


def test_o8_theta_products():
    products = ThetaProducts(3, 1).double()
    with torch.no_grad():
        products.theta.copy_(double([[0.5, -1, 2]]))
    close(products(double(S1_S2)), [[1.7225], [0.4225]])


def test_o8_outer_product():
    close(OuterProduct(2)(double(S1_S2)), [[0.04] * 4, [0.0025, -0.0225, -0.0225, 0.2025]])


def test_o8_kernel_products():
    """The oracle has one matrix for all pairs."""
    products = KernelProducts(3, 2).double()
    with torch.no_grad():
        products.kernels.copy_(double([[1, 2], [-1, 0.5]]))
    close(products(double(S1_S2)), [[-0.08, 0.07, -0.145], [-0.26, 0.065, -0.1425]])


def test_kernel_products_with_unit_matrices_are_inner_products():
    fields = random_fields(1)
    products = KernelProducts(*fields.shape[1:]).double()
    with torch.no_grad():
        products.kernels.copy_(torch.eye(fields.shape[2]))
    torch.testing.assert_close(products(fields), InnerProducts(fields.shape[1])(fields))


def test_kernels_start_xavier_normal():
    torch.manual_seed(0)
    assert KernelProducts(30, 20).kernels.std().item() == pytest.approx((2 / 40) ** 0.5, rel=0.02)


@pytest.mark.parametrize(
    ("make", "fits", "too_many", "message"),
    [
        (InnerProducts, 447, 448, "448 fields in pairs: 100,128 pairs an example take at least 4.9 GB.*inner=theta"),
        (
            lambda num_fields: KernelProducts(num_fields, 10),
            141,
            142,
            "142 fields of 10 numbers in pairs: 100,110 pairs an example take at least 4.9 GB.*outer=superposition",
        ),
    ],
)
def test_more_pairs_than_fit_are_refused_with_an_estimate(make, fits, too_many, message):
    make(fits)
    with pytest.raises(UserError, match=message):
        make(too_many)


def test_a_single_field_has_no_products():
    with pytest.raises(UserError, match="two fields or more"):
        InnerProducts(1)
