"""Ask an endpoint with KServe's client, as its users do; run in an environment of its own.

    python ask_with_kserve.py HTTP_ADDRESS GRPC_ADDRESS

Prints as JSON, for each way of asking, what it was told and the scores that it got. A process of
its own: this client and Triton's describe the same messages, and protobuf takes them once.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import kserve
import numpy as np
from ask_rows import DATATYPES, DTYPES, FEW, MANY, MODEL


def request(columns: dict[str, list[Any]], *, raw: bool) -> kserve.InferRequest:
    """A request of the client of KServe, its values as lists or as arrays."""
    inputs = []
    for name, values in columns.items():
        tensor = kserve.InferInput(name, [len(values)], DATATYPES[name], None if raw else values)
        if raw:
            tensor.set_data_from_numpy(np.array(values, DTYPES[name]), binary_data=True)
        inputs.append(tensor)
    return kserve.InferRequest(MODEL, inputs, request_id="call-1")


async def kserve_rest(address: str, *, raw: bool) -> dict[str, Any]:
    """What the client of KServe gets over HTTP."""
    client = kserve.InferenceRESTClient(kserve.RESTConfig(protocol="v2"))
    base = f"http://{address}"

    async def scores(columns: dict[str, list[Any]]) -> list[float]:
        answer = await client.infer(base, request(columns, raw=raw), model_name=MODEL)
        return list(answer.outputs[1].data)

    # JSON has no NaN: this client's lists hold every number.
    few = FEW if raw else {**FEW, "income": [30_000.0, 0.0]}
    told = {
        "up": [
            await client.is_server_live(base),
            await client.is_server_ready(base),
            await client.is_model_ready(base, MODEL),
        ],
        "few": await scores(few),
        "many": await scores(MANY),
    }
    await client.close()
    return told


async def kserve_grpc(address: str, *, raw: bool) -> dict[str, Any]:
    """What the client of KServe gets over gRPC."""
    async with kserve.InferenceGRPCClient(address) as client:

        async def scores(columns: dict[str, list[Any]]) -> list[float]:
            answer = await client.infer(request(columns, raw=raw), timeout=60.0)
            return [float(value) for value in answer.outputs[1].as_numpy().tolist()]

        together = await asyncio.gather(*[scores(MANY) for _ in range(20)])
        if any(each != together[0] for each in together):
            raise SystemExit("the answers to equal requests differ")
        return {
            "up": [
                await client.is_server_live(),
                await client.is_server_ready(),
                await client.is_model_ready(MODEL),
            ],
            "few": await scores(FEW),
            "many": together[0],
        }


def main(http: str, grpc: str) -> None:
    """Ask in each way."""
    told = {
        "rest, lists": asyncio.run(kserve_rest(http, raw=False)),
        "rest, bytes": asyncio.run(kserve_rest(http, raw=True)),
        "grpc, lists": asyncio.run(kserve_grpc(grpc, raw=False)),
        "grpc, bytes": asyncio.run(kserve_grpc(grpc, raw=True)),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
