"""Write docs/benchmarks.md from what the benchmarks last measured on this machine."""

from collections.abc import Iterator
from typing import Any

import orjson
from timing import RESULTS, ROOT

_HEAD = """# Benchmarks

`make bench` measures these, writes this page, and fails where a bound is missed; `make bench-NAME`
runs one (`tests/benchmarks/bench_NAME.py`). Each value is made of medians of interleaved pairs
after a pair to warm up, in an environment of Interlock and what it runs on, nothing else;
peers have environments of their own.

`bench-serving` asks each server of one logistic regression with the same rows, from one client on
the same machine, in turn. Ours runs it as ONNX behind `deploy-local`, every value checked and every
answer captured; the floor is raw ASGI on uvicorn that reads the JSON and answers a constant. Each
peer is one process (or one worker behind a front) with one thread for numbers, started as its
documentation says: MLServer with its scikit-learn runtime and no parallel workers,
`mlflow models serve`, BentoML with a batchable endpoint, LitServe with one worker and its defaults,
KServe's `ModelServer` over V2, and FastAPI by hand with a pydantic body. A peer that is not being
asked is stopped meanwhile. The canary is the same endpoint with a second release that gets 5 % of
the requests. A row is one tensor of 16 numbers; named, it is a tensor a column; mixed, half of
these hold texts, which the model has as one of few.

`bench-frameworks` has Interlock beside Kedro, ZenML and MLflow, each as its documentation has a
first project: what `--help` takes, and the same training on census data, which Kedro records
nowhere, ZenML and MLflow in SQLite, and Interlock in its ledger, measured by group as well and
registered.

`bench-cold_start` starts an endpoint's server as the core does, from a ledger with a released ONNX
model, until its readiness answers 200.
"""


def lines(report: dict[str, Any]) -> Iterator[str]:
    """A benchmark's part of the table."""
    name = report["script"].removeprefix("bench_")
    for result in report["results"]:
        side = "≥" if result["least"] else "≤"
        held = "yes" if result["held"] else "**no**"
        if result["bound"] is None:
            bound = held = ""
        else:
            bound = f"{side} {result['bound']:g} {result['unit']}"
        value = f"{result['value']:{_figures(result['value'])}} {result['unit']}"
        yield (
            f"| {result['name']} | {value} | {bound} | {held} | {result['medians']} "
            f"| `make bench-{name}` |"
        )


def _figures(value: float) -> str:
    """How a value is written: of what is near a bound, its rounding must not say otherwise."""
    return ".3f" if value < 10 else ".2f"  # noqa: PLR2004  (four figures)


def page(reports: list[dict[str, Any]]) -> str:
    """The whole page."""
    machines = sorted({report["machine"] for report in reports})
    versions = {name: text for report in reports for name, text in report["versions"].items()}
    days = sorted({report["at"][:10] for report in reports})
    loads = sorted(report["load"] for report in reports)
    rows = [line for report in reports for line in lines(report)]
    parts = [
        _HEAD,
        "| what | measured | bound | within | medians, ours and theirs | command |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
        f"Measured on {', '.join(days)}: {'; '.join(machines)}.",
        f"The load average was {loads[0]} to {loads[-1]}.",
        "",
        "Versions: " + ", ".join(f"{name} {text}" for name, text in versions.items()) + ".",
        "",
    ]
    return "\n".join(parts)


def main() -> None:
    """Read what every benchmark left, and write the page."""
    reports = [orjson.loads(path.read_bytes()) for path in sorted(RESULTS.glob("bench_*.json"))]
    target = ROOT / "docs" / "benchmarks.md"
    target.write_text(page(reports), encoding="utf-8")
    print(f"{len(reports)} benchmarks are in {target.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
