"""Products of field embeddings, by which product-based networks see pairs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ctr.blocks.memory import check_pairs
from ctr.blocks.pairs import pair_indices
from ctr.errors import UserError


class InnerProducts(nn.Module):
    """<f_i, f_j> for all i < j, in the order 01, 02, ..., 12, ...: (B, F, D) -> (B, F (F - 1) / 2).

    Qu et al., "Product-based Neural Networks for User Response Prediction", ICDM 2016, whose weights for them are
    here not factorized.
    """

    places: Tensor

    def __init__(self, num_fields: int):
        super().__init__()
        i, j = _pairs(num_fields, f"{num_fields} fields in pairs", 1, "inner=theta")
        self.out_features = len(i)
        self.register_buffer("places", i * num_fields + j, persistent=False)  # (P,) of the F * F products

    def forward(self, fields: Tensor) -> Tensor:
        products = fields @ fields.transpose(1, 2)  # (B, F, F)
        return products.flatten(1).index_select(1, self.places)


class ThetaProducts(nn.Module):
    """|| sum_i theta_i^n f_i ||^2 for each of N hidden units n: (B, F, D) -> (B, N).

    It is the sum of theta_i^n theta_j^n <f_i, f_j> over all i and j, i = j included, in time linear in F. Qu et al.,
    "Product-based Neural Networks for User Response Prediction", ICDM 2016, equation 11.
    """

    def __init__(self, num_fields: int, num_units: int):
        super().__init__()
        self.theta = nn.Parameter(torch.empty(num_units, num_fields))
        nn.init.xavier_normal_(self.theta)

    def forward(self, fields: Tensor) -> Tensor:
        return (self.theta @ fields).square().sum(dim=-1)


class OuterProduct(nn.Module):
    """f_S f_S^T, where f_S = sum_i f_i, row by row: (B, F, D) -> (B, D * D).

    It is the sum of the outer products f_i f_j^T over all i and j. Qu et al., "Product-based Neural Networks for User
    Response Prediction", ICDM 2016, equation 14.
    """

    def __init__(self, embedding_dim: int):
        super().__init__()
        self.out_features = embedding_dim**2

    def forward(self, fields: Tensor) -> Tensor:
        total = fields.sum(dim=1)  # (B, D)
        return (total.unsqueeze(2) * total.unsqueeze(1)).flatten(1)


class KernelProducts(nn.Module):
    """f_i^T K_ij f_j for all i < j, with a matrix K_ij for each pair: (B, F, D) -> (B, F (F - 1) / 2).

    A weighted sum of the entries of the outer product f_i f_j^T. As in the code that the authors of Qu et al.,
    "Product-based Neural Networks for User Response Prediction", ICDM 2016, released in 2017. K_ij starts
    Xavier-normal.
    """

    i: Tensor
    j: Tensor

    def __init__(self, num_fields: int, embedding_dim: int):
        super().__init__()
        what = f"{num_fields} fields of {embedding_dim} numbers in pairs"
        i, j = _pairs(num_fields, what, embedding_dim, "outer=superposition")
        self.out_features = len(i)
        self.register_buffer("i", i.contiguous(), persistent=False)  # (P,)
        self.register_buffer("j", j.contiguous(), persistent=False)
        self.kernels = nn.Parameter(torch.randn(len(i), embedding_dim, embedding_dim) / embedding_dim**0.5)  # (P, D, D)

    def forward(self, fields: Tensor) -> Tensor:
        by_field = fields.transpose(0, 1)  # (F, B, D)
        left = by_field.index_select(0, self.i) @ self.kernels  # (P, B, D)
        return (left * by_field.index_select(0, self.j)).sum(dim=-1).T


def _pairs(num_fields: int, what: str, numbers: int, other: str) -> Tensor:
    """All i < j, (2, P), where the products of an example, with so many numbers a pair, fit into a batch."""
    if num_fields < 2:
        raise UserError("products of fields need two fields or more; found 1")
    remedy = f"{other} lists no pairs, or leave fields out of the dataset"
    check_pairs(num_fields * (num_fields - 1) // 2 * numbers, what, remedy)
    return pair_indices(num_fields)
