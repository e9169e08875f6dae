"""From a model to its graph: one small batch runs through it, and who made which tensor is written down."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ctr.app.pictures.describe import detail, fields_of, formula, kind_of
from ctr.app.pictures.graph import Edge, Graph, Node, tidied
from ctr.app.pictures.operations import CONSTANT, NUM_ROWS, TITLES, UNSEEN, operation, shape_of, tensors
from ctr.blocks import Dropout, LogitSum
from ctr.schema import FeatureSchema
from ctr.training.evaluate import scoring

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def trace(model: nn.Module, schema: FeatureSchema) -> Graph:
    """The graph of what the model does to a batch, as it does it when it scores.

    A block is a module below the model that is no mere container; what happens inside one is not shown. The model is
    left as it was.
    """
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    ids = torch.tensor([schema.offsets[f] for f in schema.slot_fields], device=device).repeat(NUM_ROWS, 1)  # (B, S)
    values = torch.ones(ids.shape, device=device)
    recorder = _Recorder(model, schema, ids, values)
    with scoring(model), recorder.hooks(), recorder:
        logits = model(ids, values)
    return recorder.graph(logits)


class _Recorder(TorchFunctionMode):
    """Sees every call of a block by hooks, and every operation between blocks as torch's function mode."""

    def __init__(self, model: nn.Module, schema: FeatureSchema, ids: Tensor, values: Tensor):
        super().__init__()
        self.model = model
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []
        self.depth = 0  # of the block that runs now
        self.counted: set[int] = set()  # parameters, by identity
        self.parameters = {id(p): name for name, p in model.named_parameters(remove_duplicate=False)}
        self.makers: dict[int, int] = {}  # of each tensor, by identity
        self.kept: list[Tensor] = []  # so that no identity is given away twice
        self._add(Node("input", "", "ids, values", fields_of(schema), shape=shape_of(ids)), ids)
        self._made(values, 0)

    @contextmanager
    def hooks(self) -> Iterator[None]:
        handles = []
        for name, module in self.model.named_modules():
            if module is not self.model and not isinstance(module, CONTAINERS):
                handles.append(module.register_forward_pre_hook(self._enter))
                handles.append(module.register_forward_hook(self._leaver(name), with_kwargs=True))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, module: nn.Module, inputs: Any) -> None:
        self.depth += 1

    def _leaver(self, name: str) -> Any:
        def leave(module: nn.Module, arguments: Any, named: Any, output: Any) -> Any:
            if self.depth == 1:
                output = self._block(name, module, list(tensors([*arguments, *named.values()])), output)
            self.depth -= 1
            return output

        return leave

    def _block(self, name: str, module: nn.Module, inputs: list[Tensor], output: Any) -> Any:
        """A block has run. One that did nothing is not shown; others put out tensors that are theirs alone."""
        unchanged = isinstance(output, Tensor) and any(output is tensor for tensor in inputs)
        if unchanged and not (isinstance(module, Dropout) and module.p > 0):
            return output
        if unchanged:
            output = output.view_as(output)
        if isinstance(module, LogitSum) and not list(module.parameters()):
            self._run(Node("small", "", "+", shape=shape_of(output)), inputs, [output])
            return output
        own = {id(p): p for p in module.parameters()}
        new = [p for key, p in own.items() if key not in self.counted]
        self.counted |= own.keys()
        outputs = list(tensors([output]))
        node = Node(
            kind_of(module),
            name,
            type(module).__name__,
            detail(module),
            formula(module),
            shape=shape_of(outputs[0]) if outputs else "",
            parameters=sum(p.numel() for p in new),
            frozen=sum(p.numel() for p in new if not p.requires_grad),
            again=bool(own) and not new,
        )
        self._run(node, inputs, outputs)
        return output

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if self.depth == 0:
            self._operation(operation(func), list(tensors([*args, *(kwargs or {}).values()])), result)
        return result

    def _operation(self, name: str, inputs: list[Tensor], result: Any) -> None:
        outputs = list(tensors([result]))
        inputs = [tensor for tensor in inputs if self._maker(tensor) is not None]
        if not outputs or not inputs or name in CONSTANT.split():
            return
        makers = [self._maker(tensor) for tensor in inputs]
        if name in UNSEEN.split() or (name in ("add", "radd") and len(makers) == 1):
            for output in outputs:
                self._made(output, makers[0] or 0)
            return
        self._run(Node("small", "", TITLES.get(name, name), shape=shape_of(outputs[0])), inputs, outputs)

    def _add(self, node: Node, *outputs: Tensor) -> int:
        self.nodes.append(node)
        for output in outputs:
            self._made(output, len(self.nodes) - 1)
        return len(self.nodes) - 1

    def _made(self, tensor: Tensor, place: int) -> None:
        self.makers[id(tensor)] = place
        self.kept.append(tensor)

    def _maker(self, tensor: Tensor) -> int | None:
        """The node that a tensor comes from; a parameter that no block has used becomes one. None for constants."""
        name = self.parameters.get(id(tensor))
        if id(tensor) not in self.makers and name is not None:
            new = id(tensor) not in self.counted
            self.counted.add(id(tensor))
            count = tensor.numel() if new else 0
            frozen = 0 if tensor.requires_grad else count
            shape = shape_of(tensor, batch=False)
            self._add(Node("weight", name, "weights", shape=shape, parameters=count, frozen=frozen), tensor)
        return self.makers.get(id(tensor))

    def _run(self, node: Node, inputs: Sequence[Tensor], outputs: Sequence[Tensor] = ()) -> None:
        """A node that ran, with the edges to it."""
        made = [(maker, tensor) for tensor in inputs if (maker := self._maker(tensor)) is not None]
        place = self._add(node, *outputs)
        edges = [Edge(maker, place, shape_of(tensor, id(tensor) not in self.parameters)) for maker, tensor in made]
        self.edges += dict.fromkeys(edges)

    def graph(self, logits: Tensor) -> Graph:
        """All that the logits depend on."""
        self._run(Node("output", "", "logit", shape=shape_of(logits)), [logits])
        return tidied(type(self.model).__name__, self.nodes, self.edges)
