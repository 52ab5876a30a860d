"""What an event of the ledger is in OpenLineage: a run's state, its job, and its datasets.

By https://openlineage.io/docs/spec/object-model: a run of ours is a run of the job that is named
after the project, a stage a run of ``PROJECT.STAGE`` below it. The rows that were fixed, the model
and the registered version are datasets of the project, each with its digest or number as version.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import attrs

if TYPE_CHECKING:
    from openlineage.client.event_v2 import (
        InputDataset,
        Job,
        OutputDataset,
        Run,
        RunEvent,
        RunState,
    )

    from interlock_hookspecs import Event

_STATES = {
    "run.started": "START",
    "run.resumed": "RUNNING",
    "run.cancelled": "ABORT",
    "stage.started": "START",
    "stage.finished": "COMPLETE",
    "stage.failed": "FAIL",
    "stage.refused": "FAIL",
    "stage.waiting": "ABORT",
    "stage.reused": "COMPLETE",
}
_ENDS = {"done": "COMPLETE", "refused": "FAIL", "failed": "FAIL"}
"""What a run's status is; one that waits for a person goes on later, as OTHER."""


@attrs.frozen(kw_only=True)
class Teller:
    """Makes the events of OpenLineage.

    Attributes:
        namespace: of our jobs and datasets.
        producer: the URI of who says it.
        root: what paths of sources start from.
    """

    namespace: str
    producer: str
    root: Path

    def events(self, event: Event) -> Iterator[RunEvent]:
        """What is to be told of an event; nothing where it is of no run, or changes none."""
        if event.run is None:
            return
        if event.kind == "stage.reused":
            # Every run of OpenLineage has one START, and this one had no time to begin.
            yield self._event(event, "START")
        if event.kind == "run.finished":
            yield self._event(event, _ENDS.get(str(event.payload.get("status")), "OTHER"))
        elif event.kind == "candidate.made":
            yield self._event(event, "RUNNING")
        elif event.kind in _STATES:
            yield self._event(event, _STATES[event.kind])

    def _event(self, event: Event, state: str) -> RunEvent:
        from openlineage.client.event_v2 import RunEvent, RunState

        ended = state == RunState.COMPLETE.value or event.kind == "candidate.made"
        inputs, outputs = self._datasets(event) if ended else ([], [])
        return RunEvent(
            eventType=RunState[state],
            eventTime=event.at.isoformat(),
            run=self._run(event, RunState[state]),
            job=self._job(event),
            inputs=inputs,
            outputs=outputs,
            producer=self.producer,
        )

    def _job(self, event: Event) -> Job:
        from openlineage.client.event_v2 import Job
        from openlineage.client.facet_v2 import job_type_job

        kind = job_type_job.JobTypeJobFacet(
            processingType="BATCH",
            integration="INTERLOCK",
            jobType="STAGE" if _stage(event) else "RUN",
            producer=self.producer,
        )
        name = f"{event.project}.{_stage(event)}" if _stage(event) else event.project
        return Job(namespace=self.namespace, name=name, facets={"jobType": kind})

    def _run(self, event: Event, state: RunState) -> Run:
        from openlineage.client.event_v2 import Run, RunState
        from openlineage.client.facet_v2 import (
            error_message_run,
            parent_run,
            processing_engine_run,
        )

        facets: dict[str, Any] = {}
        if _stage(event):
            facets["parent"] = parent_run.ParentRunFacet(
                run=parent_run.Run(runId=run_id(event.run or "")),
                job=parent_run.Job(namespace=self.namespace, name=event.project),
                producer=self.producer,
            )
        version = _table(event.payload.get("facts")).get("version.interlock-core")
        if isinstance(version, str):
            facets["processing_engine"] = processing_engine_run.ProcessingEngineRunFacet(
                version=version, name="interlock", producer=self.producer
            )
        if state in (RunState.FAIL, RunState.ABORT):
            said = event.payload.get("message") or event.payload.get("reason") or event.kind
            facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(
                message=str(said), programmingLanguage="python", producer=self.producer
            )
        subject = event.subject if _stage(event) else event.run or ""
        return Run(runId=run_id(subject), facets=facets)

    def _datasets(self, event: Event) -> tuple[list[InputDataset], list[OutputDataset]]:
        """What went in and came out, as far as the event itself says it."""
        outputs = _table(event.payload.get("outputs"))
        data, model = f"{event.project}.data", f"{event.project}.model"
        if event.kind == "candidate.made":
            given = self._input(data, event.payload.get("data"))
            return [given], [self._output(model, event.payload.get("model"))]
        match _stage(event):
            case "data":
                kept = _table(outputs.get("dataset"))
                return [self._source(str(kept.get("source", "")))], [self._rows(data, kept)]
            case "train":
                found = _digest(_table(outputs.get("candidate")).get("model"))
                return [self._input(data)], [self._output(model, found)]
            case "validate":
                return [self._input(data), self._input(model)], []
            case "register":
                version = _table(outputs.get("version"))
                name = f"{event.project}.version"
                given = self._input(model, _digest(version.get("model")))
                return [given], [self._output(name, version.get("number"))]
            case "deploy":
                return [self._input(f"{event.project}.version")], []
        return [], []

    def _source(self, source: str) -> InputDataset:
        from openlineage.client.event_v2 import InputDataset

        url = urlsplit(source) if "://" in source else None
        if url is not None and url.hostname:
            # Without the user and the query: they may hold what gives access.
            place = f"{url.scheme}://{url.hostname}" + (f":{url.port}" if _port(source) else "")
            return InputDataset(namespace=place, name=url.path.lstrip("/") or "/")
        return InputDataset(namespace="file", name=str(self.root / source))

    def _input(self, name: str, version: object = None) -> InputDataset:
        from openlineage.client.event_v2 import InputDataset

        return InputDataset(namespace=self.namespace, name=name, facets=self._version(version))

    def _output(self, name: str, version: object = None) -> OutputDataset:
        from openlineage.client.event_v2 import OutputDataset

        return OutputDataset(namespace=self.namespace, name=name, facets=self._version(version))

    def _version(self, version: object) -> dict[str, Any]:
        from openlineage.client.facet_v2 import dataset_version_dataset

        if not isinstance(version, str):
            return {}
        facet = dataset_version_dataset.DatasetVersionDatasetFacet(
            datasetVersion=version, producer=self.producer
        )
        return {"version": facet}

    def _rows(self, name: str, kept: Mapping[str, Any]) -> OutputDataset:
        from openlineage.client.facet_v2 import output_statistics_output_dataset, schema_dataset

        found = self._output(name, kept.get("digest"))
        fields = kept.get("fields")
        columns = [
            schema_dataset.SchemaDatasetFacetFields(
                name=str(column.get("name")), type=str(column.get("type"))
            )
            for column in map(_table, fields if isinstance(fields, list) else ())
        ]
        schema = schema_dataset.SchemaDatasetFacet(fields=columns, producer=self.producer)
        found.facets = {**(found.facets or {}), "schema": schema}
        if type(rows := kept.get("rows")) is int:
            count = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
                rowCount=rows, producer=self.producer
            )
            found.outputFacets = {"outputStatistics": count}
        return found


def run_id(identifier: str) -> str:
    """The UUID of an id of ours, which ends with one; of any other text always the same one.

    >>> run_id("run-0190f3c2a1b27def8a1b2c3d4e5f6071")
    '0190f3c2-a1b2-7def-8a1b-2c3d4e5f6071'
    """
    try:
        return str(uuid.UUID(hex=identifier.rpartition("-")[2]))
    except ValueError:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"interlock:{identifier}"))


def _stage(event: Event) -> str:
    """The stage that an event is of; empty for an event of the run itself."""
    return str(event.payload.get("stage", "")) if event.kind.startswith("stage.") else ""


def _digest(model: object) -> object:
    return _table(_table(model).get("artifact")).get("digest")


def _table(value: object) -> Mapping[str, Any]:
    """A value that is read as a table; an empty one where it is none."""
    return value if isinstance(value, Mapping) else {}


def _port(source: str) -> int | None:
    try:
        return urlsplit(source).port
    except ValueError:
        return None
