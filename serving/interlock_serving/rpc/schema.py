"""The messages of the service, out of ``open_inference_grpc.binpb``: the .proto as protoc reads it.

In a pool of their own: a client's library that describes the same package may stand beside them
in a process, and no version of protoc is tied to a version of protobuf.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import attrs

from interlock_serving.v2.protocol import SERVICE


@attrs.frozen
class Method:
    """A call of the service: the classes of what it takes and of what it answers."""

    request: Any
    response: Any


@cache
def methods() -> Mapping[str, Method]:
    """The calls of the service, by name."""
    from google.protobuf.descriptor_pb2 import FileDescriptorSet
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message_factory import GetMessageClass

    described = resources.files(__package__).joinpath("open_inference_grpc.binpb").read_bytes()
    pool = DescriptorPool()
    for file in FileDescriptorSet.FromString(described).file:
        pool.Add(file)
    return {
        method.name: Method(GetMessageClass(method.input_type), GetMessageClass(method.output_type))
        for method in pool.FindServiceByName(SERVICE).methods
    }
