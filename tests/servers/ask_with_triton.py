"""Ask an endpoint with Triton's client, as its users do; run in an environment of its own.

    python ask_with_triton.py HTTP_ADDRESS GRPC_ADDRESS

Prints as JSON, for each way of asking, what it was told and the scores that it got.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import tritonclient.grpc
import tritonclient.http
from ask_rows import DATATYPES, DTYPES, FEW, MANY, MODEL


def triton(library: Any, address: str, *, binary: bool | None = None) -> dict[str, Any]:
    """What the client of Triton gets; without ``binary`` it has no such choice."""
    named = {} if binary is None else {"binary_data": binary}

    def scores(columns: dict[str, list[Any]]) -> list[float]:
        inputs = []
        for name, values in columns.items():
            tensor = library.InferInput(name, [len(values)], DATATYPES[name])
            tensor.set_data_from_numpy(np.array(values, DTYPES[name]), **named)
            inputs.append(tensor)
        outputs = [library.InferRequestedOutput(name, **named) for name in ("score", "prediction")]
        answer = client.infer(
            MODEL, inputs, outputs=outputs, request_id="call-1", timeout=60_000_000
        )
        if len(answer.as_numpy("prediction")) != len(answer.as_numpy("score")):
            raise SystemExit("the outputs have different rows")
        found: list[float] = answer.as_numpy("score").tolist()
        return found

    with library.InferenceServerClient(address) as client:
        described = client.get_model_metadata(MODEL)
        server = client.get_server_metadata()
        if library is tritonclient.grpc:
            inputs, name = [each.name for each in described.inputs], server.name
        else:
            inputs, name = [each["name"] for each in described["inputs"]], server["name"]
        return {
            "up": [client.is_server_live(), client.is_server_ready(), client.is_model_ready(MODEL)],
            "server": name,
            "inputs": inputs,
            # JSON has no NaN, and this client no null.
            "few": scores({**FEW, "income": [30_000.0, 0.0]} if binary is False else FEW),
            "many": scores(MANY),
        }


def main(http: str, grpc: str) -> None:
    """Ask in each way."""
    told = {
        "http, bytes": triton(tritonclient.http, http, binary=True),
        "http, json": triton(tritonclient.http, http, binary=False),
        "grpc": triton(tritonclient.grpc, grpc),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
