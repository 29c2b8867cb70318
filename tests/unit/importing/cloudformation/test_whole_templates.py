"""Whole templates, in the shapes that public ones have: what is imported can be used once its variables are set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.importing.templates import imported

if TYPE_CHECKING:
    from pathlib import Path

BUILT_BY_A_BUNDLER = """\
AWSTemplateFormatVersion: 2010-09-09
Transform: AWS::Serverless-2016-10-31
Resources:
  Inbox:
    Type: AWS::SQS::Queue
    Properties:
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Lost.Arn, maxReceiveCount: 9}
  Lost: {Type: AWS::SQS::Queue}
  Things: {Type: AWS::Serverless::SimpleTable}
  Writer:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: esbuild, BuildProperties: {EntryPoints: [app.ts]}}
    Properties:
      CodeUri: ./src
      Handler: app.handler
      Runtime: nodejs22.x
      Architectures: [arm64]
      Policies: [{SQSPollerPolicy: {QueueName: !GetAtt Inbox.QueueName}}]
      Environment: {Variables: {TABLE: !Ref Things}}
      Events:
        Inbox:
          Type: SQS
          Properties:
            Queue: !GetAtt Inbox.Arn
            MaximumBatchingWindowInSeconds: 1
            FunctionResponseTypes: [ReportBatchItemFailures]
            ScalingConfig: {MaximumConcurrency: 3}
"""
FAILURES_OF_A_STREAM = """\
Transform: 'AWS::Serverless-2016-10-31'
Resources:
  Activity: {Type: 'AWS::Kinesis::Stream', Properties: {Name: activity, ShardCount: 1}}
  Odd: {Type: 'AWS::SQS::Queue', Properties: {QueueName: odd}}
  Processor:
    Type: 'AWS::Serverless::Function'
    Properties:
      FunctionName: processor
      CodeUri: src/
      Handler: app.handler
      Runtime: python3.13
      Tracing: Active
      Tags: {Team: a}
      Environment: {Variables: {STREAM: !Ref Activity}}
      Events:
        Activity:
          Type: Kinesis
          Properties:
            Stream: !GetAtt Activity.Arn
            BatchSize: 4
            StartingPosition: TRIM_HORIZON
            MaximumRetryAttempts: 6
            MaximumRecordAgeInSeconds: 1800
            BisectBatchOnFunctionError: true
            DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Odd.Arn}}
"""
CONSUMER = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  Events: {Type: AWS::Kinesis::Stream, Properties: {ShardCount: 1}}
  MyConsumer: {Type: AWS::Kinesis::StreamConsumer, Properties: {StreamARN: !GetAtt Events.Arn, ConsumerName: mine}}
  App:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src/
      Runtime: python3.13
      Handler: app.handler
      Events:
        Stream: {Type: Kinesis, Properties: {Stream: !GetAtt MyConsumer.ConsumerARN, StartingPosition: LATEST, BatchSize: 50}}
"""
MANY_FILTERS = """\
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Handler: app.handler, Runtime: python3.13, CodeUri: ./src, Timeout: 8}}
Resources:
  Items: {Type: AWS::DynamoDB::Table, Properties: {TableName: items, StreamSpecification: {StreamViewType: NEW_IMAGE}}}
""" + "".join(
    f"""\
  Filter{number}:
    Type: AWS::Serverless::Function
    Properties:
      Events:
        Changes:
          Type: DynamoDB
          Properties:
            Stream: !GetAtt Items.StreamArn
            StartingPosition: LATEST
            FilterCriteria: {{Filters: [{{Pattern: '{pattern}'}}]}}
"""
    for number, pattern in enumerate(
        [
            '{"dynamodb": {"NewImage": {"kind": {"S": ["a"]}}}}',
            '{"dynamodb": {"NewImage": {"kind": {"S": [{"anything-but": ["a"]}]}}}}',
            '{"dynamodb": {"NewImage": {"place": {"S": [{"prefix": "eu-"}]}}}}',
            '{"eventName": ["INSERT", "REMOVE"], "dynamodb": {"Keys": {"id": {"S": ["x"]}}}}',
            '{"dynamodb": {"NewImage": {"n": {"N": [{"numeric": [">", 1.50]}]}}}}',
        ]
    )
)
PLAIN = """\
{"Resources": {
  "F1234ABCD": {"Type": "AWS::Lambda::Function", "Properties": {
    "Code": {"ZipFile": "exports.handler = async (event) => ({event})"}, "Handler": "index.handler", "Runtime": "nodejs22.x",
    "Role": {"Fn::GetAtt": ["Role9", "Arn"]}}},
  "FKinesis5678": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {
    "BatchSize": 100, "EventSourceArn": {"Fn::GetAtt": ["SStream", "Arn"]}, "FunctionName": {"Ref": "F1234ABCD"},
    "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1655237653}},
  "SStream": {"Type": "AWS::Kinesis::Stream", "Properties": {
    "StreamEncryption": {"Fn::If": ["Old", {"Ref": "AWS::NoValue"}, {"A": 1}]}}}},
 "Conditions": {"Old": {"Fn::Or": [{"Fn::Equals": [{"Ref": "AWS::Region"}, "cn-north-1"]}]}},
 "Rules": {"R": {"Assertions": [{"Assert": {"Fn::Not": [{"Fn::Contains": [["1"], {"Ref": "B"}]}]}}]}},
 "Parameters": {"B": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/cdk-bootstrap/version"}}}
"""


@pytest.mark.parametrize(
    ("text", "variables", "expected"),
    [
        (BUILT_BY_A_BUNDLER, ("THINGS_NAME", "INBOX_ARN"), {"Writer-Inbox": ("sqs", 10)}),
        (FAILURES_OF_A_STREAM, ("AWS_REGION", "AWS_ACCOUNT_ID"), {"processor-Activity": ("kinesis", 4)}),
        (CONSUMER, ("MY_CONSUMER_CONSUMER_ARN",), {"App-Stream": ("kinesis", 50)}),
        (MANY_FILTERS, ("ITEMS_STREAM_ARN",), {f"Filter{number}-Changes": ("dynamodb", 100) for number in range(5)}),
        (PLAIN, ("F1234_ABCD_ARN", "S_STREAM_ARN"), {"FKinesis5678": ("kinesis", 100)}),
    ],
)
def test_a_template_becomes_a_configuration_that_loads(
    tmp_path: Path, text: str, variables: tuple[str, ...], expected: dict[str, Any]
) -> None:
    """Only what no template can say is left to be set."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").write_text("def handler(event, context): ...\n")
    outcome = imported(tmp_path, text)
    assert outcome.variables == variables
    stream = "arn:aws:dynamodb:eu-west-1:123456789012:table/items/stream/2026-01-01T00:00:00.000"
    function = "arn:aws:lambda:eu-west-1:123456789012:function:f"
    consumer = "arn:aws:kinesis:eu-west-1:123456789012:stream/events/consumer/mine:1700000000"
    config = outcome.loaded(ITEMS_STREAM_ARN=stream, F1234_ABCD_ARN=function, MY_CONSUMER_CONSUMER_ARN=consumer)
    mappings = config.event_source_mappings
    assert {name: (one.kind, one.batch_size) for name, one in mappings.items()} == expected
    assert imported(tmp_path, text).text == outcome.text
