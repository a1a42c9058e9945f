"""ONNX graph: nodes are added one by one, each gives the name of its result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

OPSET, OPSET_ML, IR_VERSION = 21, 5, 10
ML = "ai.onnx.ml"
TEXT = np.dtype(object)


class Graph:
    """A graph that grows; numbers in it are float64.

    Attributes
    ----------
    nodes, constants, inputs, outputs : list
        Of `onnx.helper` and `onnx.numpy_helper`.
    """

    def __init__(self):
        self.nodes, self.constants, self.inputs, self.outputs = [], [], [], []

    def input(self, name: str, dtype: np.dtype) -> str:
        """A column of rows, of shape (n_rows, 1)."""
        from onnx import helper

        self.inputs.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(dtype), ["rows", 1]))
        return name

    def output(self, name: str, result: str, dtype: np.dtype, n_columns: int | None = None) -> None:
        """Give a result a name for those who ask for it."""
        from onnx import helper

        self.nodes.append(helper.make_node("Identity", [result], [name]))
        shape = ["rows"] if n_columns is None else ["rows", n_columns]
        self.outputs.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(dtype), shape))

    def add(self, operator: str, *inputs: Any, domain: str = "", **attributes: Any) -> str:
        """Add a node.

        Parameters
        ----------
        operator : str
        *inputs : str, float or ndarray
            Names of results; values become constants.
        domain : str
        **attributes : object

        Returns
        -------
        str
            Name of the result.
        """
        from onnx import helper

        names = [one if isinstance(one, str) else self.constant(one) for one in inputs]
        result = f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, names, [result], domain=domain, **attributes))
        return result

    def constant(self, values: Any) -> str:
        from onnx import numpy_helper

        values = np.asarray(values)
        values = values.astype("float64") if values.dtype.kind == "f" else values
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def as_type(self, values: str, dtype: str) -> str:
        from onnx import helper

        return self.add("Cast", values, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def side_by_side(self, blocks: list[str]) -> str:
        """Matrices of the same rows as one."""
        return blocks[0] if len(blocks) == 1 else self.add("Concat", *blocks, axis=1)

    def columns(self, matrix: str, positions: Any) -> str:
        return self.add("Gather", matrix, np.asarray(positions, dtype="int64"), axis=1)

    def column(self, matrix: str, position: int) -> str:
        """One column, of shape (n_rows,)."""
        return self.add("Gather", matrix, np.int64(position), axis=1)

    def expm1(self, values: str) -> str:
        """The exponential less 1, as precise near 0 as elsewhere: tanh(x / 2) (exp(x) + 1)."""
        half = self.add("Tanh", self.add("Mul", values, 0.5))
        return self.add("Mul", half, self.add("Add", self.add("Exp", values), 1.0))

    def write(self, path: Path, about: dict[str, str]) -> None:
        """Write the graph as an ONNX file.

        Parameters
        ----------
        path : Path
        about : dict of str to str
            Kept in the file.
        """
        import onnx
        from onnx import helper

        graph = helper.make_graph(self.nodes, "model", self.inputs, self.outputs, self.constants)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(ML, OPSET_ML)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="bank-models")
        helper.set_model_props(model, about)
        onnx.checker.check_model(model)
        path.write_bytes(model.SerializeToString(deterministic=True))
