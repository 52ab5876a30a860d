r"""The Open Inference Protocol V2 over gRPC, beside the server's HTTP and on its event loop.

Needs the extra ``grpc``. The service is that of ``open_inference_grpc.proto``, which stands here
as its makers publish it: https://github.com/kserve/open-inference-protocol (Apache-2.0), at
d49cc23f89d709d87b210ef9449e273ae243984e. What is read at run time is made of it in this folder by

    python -m grpc_tools.protoc -I. \
        --descriptor_set_out=open_inference_grpc.binpb open_inference_grpc.proto

and a test holds the one against the other.
"""
