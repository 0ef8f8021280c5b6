"""What runs a network: torch, ONNX Runtime or OpenVINO, each called like the network itself."""
