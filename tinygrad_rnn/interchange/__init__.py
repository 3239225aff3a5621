"""Weights and models to and from other systems: PyTorch, Keras and ONNX.

Weights of PyTorch's need no converter: `tinygrad_rnn.checkpoints.load_weights` reads what
`safetensors.torch.save_file(module.state_dict(), path)` wrote, and `load_state_dict` takes it.
"""

from tinygrad_rnn.interchange.export import export_onnx
from tinygrad_rnn.interchange.keras import from_keras, to_keras
from tinygrad_rnn.interchange.onnx_arrays import from_onnx, to_onnx
from tinygrad_rnn.interchange.onnx_nodes import OnnxLayer, from_onnx_node
from tinygrad_rnn.interchange.optimizers import load_optimizer, save_optimizer

__all__ = [
    "OnnxLayer",
    "export_onnx",
    "from_keras",
    "from_onnx",
    "from_onnx_node",
    "load_optimizer",
    "save_optimizer",
    "to_keras",
    "to_onnx",
]
