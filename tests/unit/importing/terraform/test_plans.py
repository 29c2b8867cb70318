"""What becomes of a Terraform plan: what is not known yet is a variable, named after the resource that it will be of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.unit.importing.templates import imported, options
from tests.unit.importing.terraform.states import QUEUE, entry, function

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.importing.templates import Outcome

MAPPING = "aws_lambda_event_source_mapping"
PLANNED = {key: value for key, value in function().items() if key != "arn"}
LATER = {"arn": True, "id": True, "parallelization_factor": True, "starting_position_timestamp": True}


def expression(*references: str) -> dict[str, list[str]]:
    """An expression as a plan's configuration has it: each reference, and the resource that it is in."""
    return {"references": [part for one in references for part in (one, one.rpartition(".")[0])]}


class Plan:
    """A plan in the making."""

    def __init__(self) -> None:
        self.root: dict[str, Any] = {"resources": [], "child_modules": []}
        self.changes: list[dict[str, Any]] = []
        self.configuration: dict[str, Any] = {"resources": [], "module_calls": {}}

    def add(
        self,
        kind: str,
        name: str,
        values: dict[str, Any],
        later: dict[str, Any],
        expressions: dict[str, Any],
        module: str = "",
        **more: Any,  # noqa: ANN401 - Terraform's
    ) -> None:
        """Add a resource, in the root or in a module."""
        one = entry(kind, name, values, f"module.{module}." if module else "", **more)
        declared = {"address": f"{kind}.{name}", "type": kind, "name": name, "expressions": expressions}
        self.changes.append({"address": one["address"], "change": {"actions": ["create"], "after_unknown": later}})
        if not module:
            self.root["resources"].append(one)
            self.configuration["resources"].append(declared)
            return
        self.root["child_modules"].append({"address": f"module.{module}", "resources": [one]})
        call = self.configuration["module_calls"].setdefault(
            module.partition("[")[0], {"expressions": {}, "module": {}}
        )
        call["module"].setdefault("resources", []).append(declared)

    def text(self) -> str:
        """The plan as ``terraform show -json`` prints it."""
        return json.dumps(
            {
                "format_version": "1.2",
                "terraform_version": "1.11.4",
                "planned_values": {"root_module": self.root},
                "resource_changes": self.changes,
                "configuration": {"root_module": self.configuration},
            },
            indent=1,
        )

    def imported(self, folder: Path) -> Outcome:
        """What comes of it."""
        return imported(folder, self.text(), "plan.json")


def queue(plan: Plan) -> None:
    """A queue that is not made yet."""
    plan.add("aws_sqs_queue", "jobs", {"name": "jobs-dev"}, {"arn": True, "url": True}, {})


def worker(plan: Plan) -> None:
    """A function that is not made yet."""
    plan.add("aws_lambda_function", "worker", PLANNED, {"arn": True, "logging_config": True}, {})


def test_what_is_known_after_apply_is_a_variable(tmp_path: Path) -> None:
    """One for each resource; what AWS will report is no setting, and the code of a function that is not there is asked for."""
    plan = Plan()
    queue(plan)
    worker(plan)
    links = {
        "event_source_arn": expression("aws_sqs_queue.jobs.arn"),
        "function_name": expression("aws_lambda_function.worker.arn"),
    }
    later = LATER | {"event_source_arn": True, "function_name": True}
    plan.add(MAPPING, "m", {"batch_size": 5, "enabled": True}, later, links)
    found = plan.imported(tmp_path)
    assert options(found, "functions", "worker") == {
        "code": "${WORKER_CODE}",
        "handler": "app.handler",
    }
    assert options(found, "event_source_mappings", "m") == {
        "event_source_arn": "${JOBS_QUEUE_ARN}",
        "function_name": "worker",
        "batch_size": 5,
    }
    assert found.variables == ("WORKER_CODE", "JOBS_QUEUE_ARN")
    assert any("the ARN of aws_sqs_queue.jobs (jobs-dev), which is known after apply" in note for note in found.notes)
    found.loaded()


def test_an_alias_and_a_modules_output_lead_to_the_function(tmp_path: Path) -> None:
    """Through the plan's configuration."""
    plan = Plan()
    queue(plan)
    plan.add("aws_lambda_function", "this", PLANNED, {"arn": True}, {}, module='consumer["a"]')
    plan.configuration["module_calls"]["consumer"]["module"]["outputs"] = {
        "arn": {"expression": expression("aws_lambda_function.this.arn")}
    }
    plan.add(
        "aws_lambda_alias",
        "live",
        {"name": "live"},
        {"arn": True},
        {"function_name": {"references": ["module.consumer", "each.key"]}},
        index="a",
    )
    links = {
        "event_source_arn": expression("aws_sqs_queue.jobs.arn"),
        "function_name": expression("aws_lambda_alias.live.arn"),
    }
    later = {"event_source_arn": True, "function_name": True}
    plan.add(MAPPING, "m", {}, later, links, index="a")
    found = plan.imported(tmp_path)
    assert options(found, "event_source_mappings", "m-a")["function_name"] == "worker"
    found.loaded()


def test_a_modules_variable_leads_to_the_queue(tmp_path: Path) -> None:
    """From the module to what it is called with."""
    plan = Plan()
    queue(plan)
    worker(plan)
    plan.add(
        MAPPING,
        "m",
        {"function_name": "worker"},
        {"event_source_arn": True},
        {"event_source_arn": expression("var.source")},
        module="inner",
    )
    plan.configuration["module_calls"]["inner"]["expressions"] = {"source": expression("aws_sqs_queue.jobs.arn")}
    found = plan.imported(tmp_path)
    assert options(found, "event_source_mappings", "inner-m")["event_source_arn"] == "${JOBS_QUEUE_ARN}"
    found.loaded()


def test_what_leads_nowhere_is_a_variable_of_its_own(tmp_path: Path) -> None:
    """Named after what is referred to, where that is one thing; a function is then one in AWS."""
    plan = Plan()
    links = {
        "event_source_arn": {"references": ["var.source_arn"]},
        "function_name": {"references": ["module.far.function_arn", "module.far"]},
    }
    plan.add(MAPPING, "m", {}, {"event_source_arn": True, "function_name": True}, links)
    found = plan.imported(tmp_path)
    assert options(found, "event_source_mappings", "m")["event_source_arn"] == "${SOURCE_ARN}"
    (name,) = found.loaded(SOURCE_ARN=QUEUE).functions
    assert options(found, "functions", name)["runtime"] == "lambda"


def test_references_in_a_circle_end(tmp_path: Path) -> None:
    """A plan that was written by hand cannot hold us up."""
    plan = Plan()
    for one, other in (("a", "b"), ("b", "a")):
        plan.add(
            "aws_lambda_alias",
            one,
            {},
            {"function_name": True},
            {"function_name": expression(f"aws_lambda_alias.{other}.arn")},
        )
    plan.add(
        MAPPING,
        "m",
        {"event_source_arn": QUEUE},
        {"function_name": True},
        {"function_name": expression("aws_lambda_alias.a.arn")},
    )
    assert len(plan.imported(tmp_path).loaded().functions) == 1
