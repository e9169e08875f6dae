"""Second-order interactions of slots, in time linear in their number."""

from torch import Tensor, nn

from ctr.blocks.lookup import pairs


class BiInteraction(nn.Module):
    """sum_{i<j} (x_i v_i) * (x_j v_j), element-wise, in O(S D): (B, S, D) -> (B, D).

    He and Chua, "Neural Factorization Machines for Sparse Predictive Analytics", SIGIR 2017, equations 3 and 4.
    Slots are entries of a list: an id that stands in two slots of a row interacts with itself, where libFM would
    first merge the two entries into one.
    """

    def forward(self, xv: Tensor) -> Tensor:
        return pairs(xv)


class FMInteraction(nn.Module):
    """sum_{i<j} <v_i, v_j> x_i x_j: (B, S, D) -> (B,).

    Rendle, "Factorization Machines", ICDM 2010, lemma 3.1.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bi_interaction = BiInteraction()

    def forward(self, xv: Tensor) -> Tensor:
        total: Tensor = self.bi_interaction(xv).sum(dim=-1)
        return total
