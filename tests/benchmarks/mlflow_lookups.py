"""MLflow's own store behind its Python client: the peer of bench_registry.py.

Run in MLflow's environment: ``python mlflow_lookups.py URL``. It makes a model with one version,
then does what it is told, a line at a time, and answers each with a line: ``alias WORD VERSION``
points an alias, ``look COUNT WORD...`` looks these aliases up in turn and says the seconds on the
wall and of the processor.
"""

import os
import sys
import time

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

NAME = "employment"


def main() -> None:
    """Make the model, then answer until there is nothing more to do."""
    from mlflow import MlflowClient

    url = sys.argv[1]
    client = MlflowClient(url, url)
    client.create_registered_model(NAME)
    client.create_model_version(NAME, "file:///models/1", tags={"run": "run-1", "data": "x"})
    print("ready", flush=True)
    for line in sys.stdin:
        what, *words = line.split()
        if what == "alias":
            client.set_registered_model_alias(NAME, *words)
            print("done", flush=True)
            continue
        count, *aliases = words
        wall, cpu = time.perf_counter(), time.process_time()
        for turn in range(int(count)):
            found = client.get_model_version_by_alias(NAME, aliases[turn % len(aliases)])
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        if found.name != NAME:
            sys.exit(f"MLflow found {found.name}")
        print(wall, cpu, flush=True)


if __name__ == "__main__":
    main()
