"""An endpoint that answers over gRPC as well, as a stack says it."""

import http.client
import json
from urllib.parse import urlsplit

import grpc
import pytest

from interlock_serving.rpc.schema import methods
from interlock_serving.v2.protocol import SERVICE

pytestmark = pytest.mark.real_backend
BOTH = """
[stack.dev.deploy-local]
grpc_port = 0
"""


def over_http(endpoint, path, body=None):
    url = urlsplit(endpoint["address"])
    link = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
    try:
        content = None if body is None else json.dumps(body)
        link.request("GET" if body is None else "POST", path, content)
        answer = link.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        link.close()


def test_an_endpoint_of_a_stack_answers_over_grpc(project):
    """Where `interlock deployments` says; the same scores as over HTTP, counted with them."""
    made = project()
    with (made.folder / "interlock.toml").open("a") as file:
        file.write(BOTH)
    made("run", "--until", "deploy")
    endpoint = made.endpoint
    name = endpoint["endpoint"]
    assert endpoint["grpc"] == over_http(endpoint, "/v2/health/ready")[1]["grpc"]
    assert endpoint["grpc"] in made("deployments").out
    rows = {"rows": [{"x": 1.0, "z": 0.5, "group": "a"}, {"x": -1.0, "z": 0.5, "group": "b"}]}
    status, expected = over_http(endpoint, f"/v2/models/{name}/batch", rows)
    assert status == 200
    message = methods()["ModelInfer"].request(model_name=name)
    for column, datatype, field, values in (
        ("x", "FP64", "fp64_contents", [1.0, -1.0]),
        ("z", "FP64", "fp64_contents", [0.5, 0.5]),
        ("group", "BYTES", "bytes_contents", [b"a", b"b"]),
    ):
        tensor = message.inputs.add(name=column, datatype=datatype, shape=[2])
        getattr(tensor.contents, field).extend(values)
    with grpc.insecure_channel(endpoint["grpc"]) as link:
        infer = link.unary_unary(
            f"/{SERVICE}/ModelInfer",
            request_serializer=type(message).SerializeToString,
            response_deserializer=methods()["ModelInfer"].response.FromString,
        )
        answer = infer(message, timeout=60)
    score = next(output for output in answer.outputs if output.name != "prediction")
    assert [*score.contents.fp64_contents] == [row[score.name] for row in expected["rows"]]
    assert answer.model_version == expected["model_version"]
    _, ready = over_http(endpoint, "/v2/health/ready")
    assert [each["requests"] for each in ready["traffic"]] == [2]
    made("undeploy")
