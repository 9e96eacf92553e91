"""An executor for steps whose work is SQL: they run in one process, some of them side by side.

While the server works for one step, Dagster records another, and statements that use one core each share the cores.
Dagster's own in-process executor runs one step after the other; its multiprocess executor starts a process per step.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from dagster import AssetKey, DagsterEvent, DagsterInstance, JobDefinition, executor
from dagster._core.definitions.executor_definition import IN_PROC_CONFIG
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.errors import DagsterExecutionInterruptedError, raise_execution_interrupts
from dagster._core.events import EngineEventData
from dagster._core.execution.api import ExecuteRunWithPlanIterable
from dagster._core.execution.compute_logs import create_compute_log_file_key
from dagster._core.execution.context_creation_job import PlanExecutionContextManager
from dagster._core.execution.execute_in_process import core_execute_in_process
from dagster._core.execution.plan.execute_plan import dagster_event_sequence_for_step
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.in_process import InProcessExecutor

from ecommerce_platform.io_managers.connection import cancel_statements

if TYPE_CHECKING:
    from dagster import ExecuteInProcessResult
    from dagster._core.execution.context.system import PlanExecutionContext, PlanOrchestrationContext
    from dagster._core.execution.plan.active import ActiveExecution
    from dagster._core.execution.plan.plan import ExecutionPlan
    from dagster._core.execution.plan.step import ExecutionStep

AT_ONCE: int = 2
"""Steps at a time: one keeps the server busy while Dagster records the other; two share two cores."""

LOOK_AGAIN = 1.0
"""Seconds after which a step that waits for a slot of its pool, or for its retry, is looked at again."""

PATIENCE = 10.0
"""Seconds to wait for an interrupted step to roll back."""

Report = tuple[str, DagsterEvent | BaseException | None]
"""A step's key, and its next event or, at its end, None or the error that it raised."""


class SideBySideExecutor(InProcessExecutor):
    """Dagster's in-process executor, but for :data:`AT_ONCE` steps at a time, each in a thread."""

    def execute(self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
        """Execute the plan, and yield the events of its steps as they happen."""
        told = EngineEventData.in_process(os.getpid(), execution_plan.step_keys_to_execute)
        yield DagsterEvent.engine_event(plan_context, f"Executing steps in process {os.getpid()}", told)
        yield from iter(
            ExecuteRunWithPlanIterable(
                execution_plan=plan_context.execution_plan,
                iterator=_events_of_plan,
                execution_context_manager=PlanExecutionContextManager(
                    job=plan_context.job,
                    retry_mode=plan_context.retry_mode,
                    execution_plan=plan_context.execution_plan,
                    run_config=plan_context.run_config,
                    dagster_run=plan_context.dagster_run,
                    instance=plan_context.instance,
                    raise_on_error=plan_context.raise_on_error,
                    output_capture=plan_context.output_capture,
                    step_dependency_config=self.step_dependency_config,
                ),
            )
        )


@executor(name="side_by_side", config_schema=IN_PROC_CONFIG)
def side_by_side_executor(init_context: Any) -> SideBySideExecutor:
    """Executes the steps of a run in its process, two at a time."""
    return SideBySideExecutor(RetryMode.from_config(init_context.executor_config["retries"]) or RetryMode.ENABLED)


def execute_job(
    job: JobDefinition,
    instance: DagsterInstance,
    *,
    run_id: str,
    run_config: Mapping[str, Any],
    tags: Mapping[str, str],
    assets: Sequence[AssetKey] | None,
) -> ExecuteInProcessResult:
    """Run a job in this process with its own executor, which ``JobDefinition.execute_in_process`` would replace.

    Args:
        job: the job.
        instance: where the run is recorded.
        run_id: the run's id.
        run_config: its configuration.
        tags: its tags.
        assets: the assets to materialize, with their checks; None for all of the job.
    """
    selected = None if assets is None else frozenset(assets)
    return core_execute_in_process(
        job=InMemoryJob(job if selected is None else job.get_subset(asset_selection=selected)),
        run_config=run_config,
        instance=instance,
        output_capturing_enabled=False,
        raise_on_error=False,
        run_tags=tags,
        run_id=run_id,
        asset_selection=selected,
    )


def _events_of_plan(job_context: PlanExecutionContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
    context, plan = job_context, execution_plan
    logs, keys = context.instance.compute_log_manager, [step.key for step in plan.get_steps_to_execute_in_topo_order()]
    log_key = logs.build_log_key_for_run(context.run_id, create_compute_log_file_key())
    with (
        InstanceConcurrencyContext(context.instance, context.dagster_run) as slots,
        plan.start(
            retry_mode=context.retry_mode,
            max_concurrent=AT_ONCE,
            instance_concurrency_context=slots,
            step_dependency_config=context.step_dependency_config,
        ) as active,
        ExitStack() as stack,
    ):
        yield DagsterEvent.capture_logs(context, keys, log_key, stack.enter_context(logs.capture_logs(log_key)))
        running = _Running(context)
        try:
            while not active.is_complete:
                yield from _next_events(context, active, running)
        except GeneratorExit:
            deque(running.interrupt(), maxlen=0)
            raise
        except BaseException:
            yield from running.interrupt()
            raise


def _next_events(context: PlanExecutionContext, active: ActiveExecution, running: _Running) -> Iterator[DagsterEvent]:
    """Start the steps that are ready, and yield the next events of steps and what follows from their ends."""
    for step in active.get_steps_to_execute():
        running.start(step, active)
    yield from active.concurrency_event_iterator(context)
    if not running.steps:
        with raise_execution_interrupts():
            active.sleep_til_ready()
        return
    for key, told in running.reports():
        if isinstance(told, DagsterEvent):
            # The materializations of a thousand days are stored by now; Dagster would keep them to the run's end.
            if not told.is_step_materialization:
                yield told
                active.handle_event(told)
        else:
            active.verify_complete(context, key)
            yield from active.plan_events_iterator(context)
            if told is not None:
                raise told


class _Running:
    """The steps that are being executed, each in a thread, and what they report.

    Attributes:
        steps: the thread of each step, by key.
    """

    def __init__(self, context: PlanExecutionContext):
        self.steps: dict[str, threading.Thread] = {}
        self._context = context
        self._reports: SimpleQueue[Report] = SimpleQueue()

    def start(self, step: ExecutionStep, active: ActiveExecution) -> None:
        """Execute a step in a new thread."""
        step_context = self._context.for_step(step, active.get_known_state())

        def execute() -> None:
            error: BaseException | None = None
            try:
                for event in dagster_event_sequence_for_step(step_context):
                    self._reports.put((step.key, event))
            except BaseException as raised:
                error = raised
            self._reports.put((step.key, error))

        # A daemon: a step that cannot be interrupted does not keep the process alive.
        self.steps[step.key] = threading.Thread(target=execute, name=step.key, daemon=True)
        self.steps[step.key].start()

    def reports(self) -> Iterator[Report]:
        """Wait for the next reports, and yield them up to a step's end; none if there is none for a while.

        Raises:
            DagsterExecutionInterruptedError: the run is to be terminated.
        """
        try:
            with raise_execution_interrupts():
                report = self._reports.get(timeout=LOOK_AGAIN)
            while isinstance(report[1], DagsterEvent):
                yield report
                report = self._reports.get_nowait()
        except Empty:
            # Nothing follows for a while: what the last step has reported should not wait for it.
            self._context.instance.event_log_storage.store_event_batch([])
            return
        self.steps.pop(report[0]).join()
        yield report

    def interrupt(self) -> Iterator[DagsterEvent]:
        """Interrupt all steps, and yield their last events."""
        for thread in self.steps.values():
            _raise_in(thread, DagsterExecutionInterruptedError)
        deadline = time.monotonic() + PATIENCE
        while self.steps and time.monotonic() < deadline:
            cancel_statements()  # again: a step may begin another one before it is interrupted
            try:
                key, told = self._reports.get(timeout=LOOK_AGAIN)
            except Empty:
                continue
            if isinstance(told, DagsterEvent):
                yield told
            else:
                self.steps.pop(key).join()


def _raise_in(thread: threading.Thread, error: Callable[[], BaseException]) -> None:
    """Raise an error in another thread, at its next Python instruction."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(error))
