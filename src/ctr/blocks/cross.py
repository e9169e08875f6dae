"""Cross networks: products of the input with itself, one degree more a layer."""

import itertools
import math

import torch
from torch import Tensor, nn

from ctr.blocks.memory import check_weights
from ctr.blocks.mlp import xavier_linear
from ctr.errors import UserError


class CrossNet(nn.Module):
    """x_{l+1} = x_0 (x_l^T w_l) + b_l + x_l, layer by layer: (B, in_features) -> (B, in_features).

    Wang et al., "Deep & Cross Network for Ad Click Predictions", ADKDD 2017, equation 3. Every weight w_l starts
    Xavier-normal, every b_l at 0.
    """

    def __init__(self, in_features: int, num_layers: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_layers, in_features))
        self.bias = nn.Parameter(torch.zeros(num_layers, in_features))
        nn.init.normal_(self.weight, std=math.sqrt(2 / (in_features + 1)))

    def forward(self, inputs: Tensor) -> Tensor:
        x = inputs
        for w, b in zip(self.weight, self.bias, strict=True):
            x = inputs * (x @ w).unsqueeze(-1) + b + x
        return x

    def extra_repr(self) -> str:
        num_layers, in_features = self.weight.shape
        return f"in_features={in_features}, num_layers={num_layers}"


class CrossNetV2(nn.Module):
    """x_{l+1} = x_0 * (A_l(x_l) + b_l) + x_l, layer by layer: (B, in_features) -> (B, in_features).

    Wang et al., "DCN V2", WWW 2021, equation 1. A_l is what `CrossLayer` says.
    """

    def __init__(self, in_features: int, num_layers: int, *, rank: int = 0, num_experts: int = 1):
        super().__init__()
        self.layers = nn.ModuleList(CrossLayer(in_features, rank, num_experts) for _ in range(num_layers))

    def forward(self, inputs: Tensor) -> Tensor:
        x = inputs
        for layer in self.layers:
            x = layer(inputs, x)
        return x


class CrossLayer(nn.Module):
    """x_0 * (A(x) + b) + x, A(x) = W x; with a rank, A(x) = U V^T x; with experts, A(x) = sum_e G_e(x) A_e(x).

    x_0, x (B, in_features) -> (B, in_features). Wang et al., "DCN V2", WWW 2021, section 3: the full matrix (`rank`
    0), its low-rank form, and the mixture of low-rank experts, A_e(x) = U_e tanh(C_e tanh(V_e^T x)) with
    G = softmax(W_G x). A mixture of full matrices, `rank` 0 and several experts, is ours. The matrices are held
    transposed, one an expert.
    """

    def __init__(self, in_features: int, rank: int, num_experts: int):
        super().__init__()
        if rank < 0 or num_experts < 1:
            raise UserError(
                f"a cross layer needs a rank of 0 (the full matrix) or more and at least one expert; found {rank} "
                f"and {num_experts}"
            )
        inner = [] if rank == 0 else [rank] if num_experts == 1 else [rank, rank]
        widths = [in_features, *inner, in_features]
        shapes = [(num_experts, *pair) for pair in itertools.pairwise(widths)]
        remedy = "choose a smaller embedding_dim, or a cross_rank, so that the matrices are no squares"
        check_weights(sum(map(math.prod, shapes)), f"a cross layer over {in_features} inputs", remedy)
        self.matrices = nn.ParameterList(torch.empty(shape) for shape in shapes)
        for matrix in self.matrices:
            nn.init.normal_(matrix, std=math.sqrt(2 / sum(matrix.shape[1:])))  # Xavier-normal, each expert's
        self.gate = None if num_experts == 1 else xavier_linear(in_features, num_experts, bias=False)
        self.bias = nn.Parameter(torch.zeros(in_features))

    def forward(self, x_0: Tensor, x: Tensor) -> Tensor:
        first, *others = self.matrices
        experts = x @ first  # (num_experts, B, rank or in_features)
        for matrix in others:
            experts = (experts if self.gate is None else experts.tanh()) @ matrix
        if self.gate is None:
            mixed: Tensor = experts.squeeze(0)
        else:
            mixed = torch.einsum("be,ebd->bd", self.gate(x).softmax(dim=-1), experts)
        return x_0 * (mixed + self.bias) + x
