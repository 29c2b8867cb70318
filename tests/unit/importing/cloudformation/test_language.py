"""CloudFormation's functions: what they give, and what is unknown instead of guessed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from config.faults import ConfigError
from config.text.nodes import Unparsable
from tests.unit.importing.templates import imported, options

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATE = """\
Parameters:
  Stage: {{Type: String, Default: dev}}
  Names: {{Type: CommaDelimitedList, Default: "a, b"}}
  Secret: {{Type: String, NoEcho: true}}
  Looked: {{Type: "AWS::SSM::Parameter::Value<String>", Default: /path}}
Mappings:
  Sizes:
    dev: {{Size: 5, "1": one}}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  IsDev: !Not [!Condition IsProd]
  Both: !And [!Condition IsDev, !Equals [1, "1"]]
  Either: !Or [!Condition IsProd, !Condition Unsaid]
  Unsaid: !Equals [!Ref Secret, x]
  Round: !Not [!Condition About]
  About: !Not [!Condition Round]
Resources:
  Queue: {{Type: AWS::SQS::Queue, Properties: {{QueueName: !Sub "${{Stage}}-orders"}}}}
  Nameless: {{Type: AWS::SQS::Queue}}
  Topic: {{Type: AWS::SNS::Topic, Properties: {{TopicName: done}}}}
  Table: {{Type: AWS::DynamoDB::Table, Properties: {{TableName: t}}}}
  Chicken: {{Type: AWS::SQS::Queue, Properties: {{QueueName: !Ref Egg}}}}
  Egg: {{Type: AWS::Kinesis::Stream, Properties: {{Name: !GetAtt Chicken.QueueName}}}}
  F:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: .
      Handler: app.handler
      Runtime: python3.12
      Environment: {{Variables: {{IT: {value}}}}}
"""


def value(folder: Path, text: str, **asked: Any) -> object:  # noqa: ANN401 - a request's
    """What this text is, as an environment variable."""
    found = options(imported(folder, TEMPLATE.format(value=text), **asked), "functions", "F")
    return found.get("environment", {}).get("IT", "absent")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("!Ref Stage", "dev"),
        ("!Sub '${Stage}/${!Stage}/${AWS::Partition}'", "dev/$${Stage}/aws"),
        ("!Sub ['${A}-${Stage}', {A: !Select [1, !Ref Names]}]", "b-dev"),
        ("!Join ['|', [a, !Ref Stage, 3]]", "a|dev|3"),
        ("!Select [1, !Split ['-', 'x-y-z']]", "y"),
        ("!FindInMap [Sizes, !Ref Stage, Size]", "5"),
        ("!FindInMap [Sizes, dev, 1]", "one"),
        ("!If [IsProd, a, b]", "b"),
        ("!If [Both, a, b]", "a"),
        ("!If [Unsaid, same, same]", "same"),
        ("!If [IsProd, a, !Ref AWS::NoValue]", "absent"),
        ("true", "true"),
        ("yes", "true"),
        ("1.10", "1.10"),
        ("012345678901", "012345678901"),
        ("2026-01-01", "2026-01-01"),
        ("!Ref Queue", "https://sqs.${AWS_REGION}.amazonaws.com/${AWS_ACCOUNT_ID}/dev-orders"),
        ("!GetAtt Queue.Arn", "arn:aws:sqs:${AWS_REGION}:${AWS_ACCOUNT_ID}:dev-orders"),
        ("{'Fn::GetAtt': [Queue, QueueName]}", "dev-orders"),
        ("!Select [5, !Split [':', !GetAtt Queue.Arn]]", "dev-orders"),
        ("!Ref Topic", "arn:aws:sns:${AWS_REGION}:${AWS_ACCOUNT_ID}:done"),
        ("!Ref Table", "t"),
        ("!Ref F", "F"),
        ("!Sub '${Nameless.Arn}/x'", "${NAMELESS_ARN}/x"),
        ("!Ref Nameless", "${NAMELESS_URL}"),
        ("!GetAtt Table.StreamArn", "${TABLE_STREAM_ARN}"),
        ("!Ref Secret", "${SECRET}"),
        ("!Ref Looked", "${LOOKED}"),
        ("!Ref Nobody", "${NOBODY}"),
        ("!GetAtt Nested.Outputs.QueueArn", "${NESTED_OUTPUTS_QUEUE_ARN}"),
        ("!ImportValue net-OrdersArn", "${NET_ORDERS_ARN}"),
        ("'{{resolve:ssm:/a:1}}/x'", "${IT}/x"),
        ("!If [Unsaid, a, b]", "${IT}"),
        ("!If [Either, a, b]", "${IT}"),
        ("!If [Round, a, b]", "${IT}"),
        ("!If [Nowhere, a, b]", "${IT}"),
        ("!Ref Egg", "${IT}"),
        ("!FindInMap [Sizes, prod, Size]", "${IT}"),
        ("!Select [9, !Ref Names]", "${IT}"),
        ("!Select [x, a]", "${IT}"),
        ("!Join [x]", "${IT}"),
        ("!Sub [a]", "${IT}"),
        ("!GetAtt Queue", "${IT}"),
        ("!Cidr [a, b, c]", "${IT}"),
        ("!Base64 abc", "${IT}"),
        ("{'Fn::Transform': {Name: x}}", "${IT}"),
    ],
)
def test_a_function_gives_what_cloudformation_gives_or_a_variable(tmp_path: Path, text: str, expected: str) -> None:
    """Never an ARN that was made up."""
    assert value(tmp_path, text) == expected


def test_parameters_and_pseudo_parameters_may_be_given(tmp_path: Path) -> None:
    """As CloudFormation is given them."""
    asked: dict[str, Any] = {"parameters": {"Stage": "prod", "AWS::Region": "cn-north-1", "AWS::AccountId": "1"}}
    assert value(tmp_path, "!GetAtt Queue.Arn", **asked) == "arn:aws-cn:sqs:cn-north-1:1:prod-orders"


def test_a_secret_parameter_is_a_variable_whatever_its_default(tmp_path: Path) -> None:
    """What NoEcho hides is not written into a file, unless the user gives it."""
    text = TEMPLATE.replace("NoEcho: true", "NoEcho: true, Default: hush")
    outcome = imported(tmp_path, text.format(value="!Ref Secret"))
    assert "hush" not in outcome.text
    assert "template.yaml:4: set ${SECRET}: the parameter Secret, which is a secret (NoEcho)" in outcome.notes


def test_a_parameter_that_the_template_has_not_is_a_slip(tmp_path: Path) -> None:
    """The fault names those that there are."""
    with pytest.raises(ConfigError, match="found --parameter Stege, expected one of Looked, Names, Secret, Stage"):
        value(tmp_path, "x", parameters={"Stege": "x"})


def test_why_something_is_unknown_is_said_with_its_line(tmp_path: Path) -> None:
    """Each variable has a note."""
    notes = imported(tmp_path, TEMPLATE.format(value="!Ref Nameless")).notes
    assert (
        "template.yaml:19: set ${NAMELESS_URL}: the URL of Nameless (AWS::SQS::Queue), which the template does not say"
        in notes
    )


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("Resources: [", 1, "malformed YAML"),
        ("Resources:\n  A: {Type: x\n", 3, "malformed YAML"),
        ("a: &a [*a]\nResources: {}\n", 1, "levels of nesting"),
        ("Resources: {}\n? [a]\n: b\n", 2, "as a key"),
        ("Resources: " + "[" * 200 + "]" * 200, 1, "levels of nesting"),
        ("\x00", 1, "U\\+0000"),
        ("", 1, "empty file"),
        ("- a\n", 1, "a file that is no mapping"),
        ("a: 1\n", 1, "a file with the keys 'a', expected "),
        ('{"Resources": ', 1, "malformed YAML"),
    ],
)
def test_a_broken_file_is_one_fault_with_its_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    """Never a traceback."""
    with pytest.raises(Unparsable, match=message) as error:
        imported(tmp_path, text)
    assert error.value.place == ("template.yaml", line)


def test_all_parts_that_are_no_template_are_said_at_once(tmp_path: Path) -> None:
    """Each with its line and its path."""
    text = "Parameters: 3\nResources:\n  A: x\n  B: {Properties: {}}\n  C: {Type: T, Properties: []}\n  C: {Type: T}\n"
    with pytest.raises(ConfigError) as error:
        imported(tmp_path, text)
    assert [(fault.line, fault.path) for fault in error.value.faults] == [
        (1, "Parameters"),
        (3, "Resources.A"),
        (4, "Resources.B"),
        (6, "Resources.C"),
    ]


def test_a_chain_of_references_without_end_is_cut(tmp_path: Path) -> None:
    """A thousand names that are made of one another, each twice, take neither the stack nor the memory."""
    chain = "".join(
        f"  Q{i}: {{Type: AWS::SQS::Queue, Properties: {{QueueName: !Sub '${{Q{i + 1}.QueueName}}${{Q{i + 1}.QueueName}}'}}}}\n"
        for i in range(1000)
    )
    text = TEMPLATE.format(value="!GetAtt Q0.QueueName") + chain
    assert len(imported(tmp_path, text).text) < 2 * 1024 * 1024


def test_a_stack_gives_the_real_names(tmp_path: Path) -> None:
    """Physical ids, the region and the account of the stack, and outputs that are just an attribute."""
    stack = tmp_path / "stack.json"
    arn = "arn:aws:cloudformation:eu-west-1:123456789012:stack/shop/5f"
    url = "https://sqs.eu-west-1.amazonaws.com/123456789012/shop-Nameless-1"
    stack.write_text(
        f'{{"StackResources": [{{"StackId": "{arn}", "LogicalResourceId": "Nameless", "PhysicalResourceId": "{url}"}}]}}'
    )
    assert (
        value(tmp_path, "!GetAtt Nameless.Arn", stacks=[stack]) == "arn:aws:sqs:eu-west-1:123456789012:shop-Nameless-1"
    )
    assert value(tmp_path, "!Ref Nameless", stacks=[stack]) == url
    assert value(tmp_path, "!Ref AWS::StackName", stacks=[stack]) == "shop"
    outputs = f'{{"Stacks": [{{"StackId": "{arn}", "Outputs": [{{"OutputKey": "S", "OutputValue": "arn:real"}}]}}]}}'
    stack.write_text(outputs)
    text = TEMPLATE.format(value="!GetAtt Table.StreamArn") + "Outputs: {S: {Value: !GetAtt Table.StreamArn}}\n"
    assert options(imported(tmp_path, text, stacks=[stack]), "functions", "F")["environment"] == {"IT": "arn:real"}


def test_a_stack_without_outputs_still_tells_its_parameters_and_where_it_is(tmp_path: Path) -> None:
    """``describe-stacks`` has no outputs for many stacks."""
    stack = tmp_path / "stack.json"
    arn = "arn:aws:cloudformation:eu-west-1:123456789012:stack/shop/5f"
    one = {"StackId": arn, "StackName": "shop", "Parameters": [{"ParameterKey": "Stage", "ParameterValue": "prod"}]}
    stack.write_text(json.dumps({"Stacks": [one]}))
    assert value(tmp_path, "!Ref Stage", stacks=[stack]) == "prod"
    assert value(tmp_path, "!Ref AWS::Region", stacks=[stack]) == "eu-west-1"


def test_exports_of_other_stacks_and_several_files_are_taken_together(tmp_path: Path) -> None:
    """Names from one file, exports from another."""
    exports, resources = tmp_path / "exports.json", tmp_path / "resources.json"
    exports.write_text('{"Exports": [{"Name": "net-OrdersArn", "Value": "arn:net"}]}')
    resources.write_text('{"StackResources": [{"LogicalResourceId": "Table", "PhysicalResourceId": "real-table"}]}')
    assert value(tmp_path, "!ImportValue net-OrdersArn", stacks=[exports, resources]) == "arn:net"
    assert value(tmp_path, "!Ref Table", stacks=[exports, resources]) == "real-table"


def test_a_stack_that_is_none_is_refused(tmp_path: Path) -> None:
    """With what would be right."""
    (tmp_path / "stack.json").write_text("{}")
    with pytest.raises(Unparsable, match="expected the JSON of `aws cloudformation describe-stack-resources`"):
        value(tmp_path, "x", stacks=[tmp_path / "stack.json"])
