"""The control plane: central point, SPUs and the NPU clients that serve them."""
