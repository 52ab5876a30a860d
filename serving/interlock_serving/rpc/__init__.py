"""The Open Inference Protocol V2 over gRPC, beside the server's HTTP and on its event loop.

Needs the extra ``grpc``. The service is that of ``open_inference_grpc.proto``, which stands here
as its makers publish it: https://github.com/kserve/open-inference-protocol (Apache-2.0).
"""
