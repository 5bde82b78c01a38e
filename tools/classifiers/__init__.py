"""Classifiers by card alone: timm, ONNX, TorchXRayVision's DenseNets, OpenCLIP without training on the labels."""
