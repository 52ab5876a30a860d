"""What each release was asked: the counts of Seldon's agents, read from Prometheus.

An agent counts the calls of each Model by the code of the answer. It times calls by method and code
only, for all Models of a server together: so a release has counts here, and no latencies.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from interlock_deploy_seldon.core_v2.cluster import Cluster
from interlock_deploy_seldon.core_v2.manifests import PIPELINE, RELEASE, Manifest, served_by, shares
from interlock_deploy_seldon.core_v2.names import endpoint_name
from interlock_deploy_seldon.core_v2.options import CoreV2
from interlock_hookspecs import Deployment, Traffic, Unavailable

_SECONDS = 5.0
_COUNTER = "seldon_model_infer_total"
_REFUSED = {"400", "413", "415", "422", "InvalidArgument", "OutOfRange"}


def traffic_of(deployment: Deployment, options: CoreV2) -> tuple[Traffic, ...]:
    """The counts of each release that an endpoint has now, in its order.

    Raises:
        Unavailable: the cluster or Prometheus does not answer.
    """
    name = endpoint_name(deployment.endpoint)
    with Cluster(options, quick=True) as cluster:
        experiment = cluster.get("Experiment", name)
        if experiment is None:
            raise Unavailable(f"the cluster has no Experiment {name}")
        models = {each["metadata"]["name"]: each for each in cluster.of_endpoint("Model", name)}
    served = [each.removesuffix(PIPELINE) for each in served_by(experiment)]
    missing = [each for each in served if each not in models]
    if missing:
        raise Unavailable(f"the cluster has no Model {missing[0]}, which the endpoint names")
    counts = _counts(options, served)
    starts = _starts(options, served)
    weights = _weights(deployment, experiment, models)
    mirror = (experiment["spec"].get("mirror") or {}).get("name", "").removesuffix(PIPELINE)
    return tuple(
        _traffic(
            models[each],
            counts.get(each, {}),
            starts.get(each),
            0.0 if each == mirror else weights[each],
            mirror=each == mirror,
        )
        for each in served
    )


def _traffic(
    model: Manifest,
    counts: Mapping[str, int],
    start: float | None,
    weight: float,
    *,
    mirror: bool,
) -> Traffic:
    meta = model["metadata"]
    since = datetime.fromisoformat(meta["creationTimestamp"]).astimezone(UTC)
    if start is not None:
        since = max(since, datetime.fromtimestamp(start, UTC))
    requests = sum(counts.values())
    refused = sum(count for code, count in counts.items() if code in _REFUSED)
    answered = sum(count for code, count in counts.items() if _is_answer(code))
    return Traffic(
        release=meta["annotations"][RELEASE],
        mirror=mirror,
        weight=weight,
        since=since,
        requests=requests,
        refused=refused,
        failed=requests - refused - answered,
        latencies=(),
    )


def _is_answer(code: str) -> bool:
    return code == "OK" or (code.isdecimal() and code.startswith("2"))


def _weights(
    deployment: Deployment, experiment: Manifest, models: Mapping[str, Manifest]
) -> dict[str, float]:
    """The share of each Model that answers: as asked for where the cluster has that, else its own.

    Whole numbers stand for shares in the cluster, so a third comes back as a third only so.
    """
    candidates = {
        each["name"].removesuffix(PIPELINE): each["weight"]
        for each in experiment["spec"]["candidates"]
    }
    releases = {name: models[name]["metadata"]["annotations"][RELEASE] for name in candidates}
    asked = {each.release.id: each.weight for each in deployment.targets if not each.mirror}
    if shares(deployment.targets) == {releases[name]: candidates[name] for name in candidates}:
        return {name: asked[release] for name, release in releases.items()}
    whole = sum(candidates.values()) or 1
    return {name: weight / whole for name, weight in candidates.items()}


def _counts(options: CoreV2, names: Sequence[str]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for labels, value in _query(options, f"sum by (model, code) ({_selected(names)})"):
        found.setdefault(labels.get("model", ""), {})[labels.get("code", "")] = round(value)
    return found


def _starts(options: CoreV2, names: Sequence[str]) -> dict[str, float]:
    """When the youngest agent that counts a Model was started; its counts began with it."""
    query = (
        f"max by (model) (0 * {_selected(names)} "
        "+ on (instance, job) group_left () process_start_time_seconds)"
    )
    return {labels.get("model", ""): value for labels, value in _query(options, query)}


def _selected(names: Sequence[str]) -> str:
    return f'{_COUNTER}{{model=~"{"|".join(names)}"}}'


def _query(options: CoreV2, query: str) -> list[tuple[dict[str, str], float]]:
    """An instant query: the labels and the value of each series of its vector."""
    address = options.prometheus.rstrip("/")
    words = urllib.parse.urlencode({"query": query})
    request = urllib.request.Request(f"{address}/api/v1/query?{words}")  # noqa: S310  (checked below)
    if request.type not in ("http", "https"):
        raise Unavailable(f"prometheus: {request.type}:// is no address of a server")
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310  (checked above)
            said = json.load(answer)
        return _vector(said)
    except urllib.error.HTTPError as error:
        raise Unavailable(f"Prometheus answers {error.code}") from error
    except OSError as error:
        raise Unavailable(f"Prometheus does not answer: {type(error).__name__}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise Unavailable("what answers as Prometheus speaks another language") from error


def _vector(said: Any) -> list[tuple[dict[str, str], float]]:
    data = said["data"]
    if said["status"] != "success" or data["resultType"] != "vector":
        raise ValueError("no vector")
    return [(dict(each["metric"]), float(each["value"][1])) for each in data["result"]]
