"""Networks of PyTorch, known by their shape: torch itself is never imported here."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._arrays import matrix
from ._results import Network


def is_module(network: Any) -> bool:
    """Whether this may be a module of torch."""
    return hasattr(network, "state_dict") and hasattr(network, "named_parameters")


def fold(module: Any) -> Network:
    """A ``Sequential(Linear, ReLU, Linear)`` as a network without biases.

    A bias of the hidden layer is a row of U for a feature that is 1. A bias b of the output layer is one more neuron,
    which that feature alone makes active: its weights are √‖b‖ and b/√‖b‖, the shortest that give b.
    """
    layers = list(module) if hasattr(module, "__iter__") else []
    if [type(layer).__name__ for layer in layers] != ["Linear", "ReLU", "Linear"]:
        found = ", ".join(type(layer).__name__ for layer in layers) or type(module).__name__
        raise ValueError(f"network: expected Sequential(Linear, ReLU, Linear), got {found}; pass U and V as arrays")
    first, _, last = layers
    hidden, output = (np.asarray(matrix(layer.weight, "weight"), np.float64) for layer in (first, last))
    hidden_bias, output_bias = (
        None if layer.bias is None else np.asarray(layer.bias.detach().cpu().numpy(), np.float64)
        for layer in (first, last)
    )
    if hidden.shape[0] != output.shape[1]:
        raise ValueError(f"network: {hidden.shape[0]} hidden neurons and output weights for {output.shape[1]}")
    U, V = hidden.T, output
    if hidden_bias is None and output_bias is None:
        return Network(np.ascontiguousarray(U), V)
    U = np.vstack([U, np.zeros(U.shape[1]) if hidden_bias is None else hidden_bias])
    length = 0.0 if output_bias is None else float(np.linalg.norm(output_bias))
    if output_bias is not None and length > 0.0:
        neuron = np.zeros((U.shape[0], 1))
        neuron[-1] = np.sqrt(length)
        U, V = np.hstack([U, neuron]), np.hstack([V, output_bias[:, np.newaxis] / np.sqrt(length)])
    return Network(np.ascontiguousarray(U), np.ascontiguousarray(V), bias=True)
