"""Batch processors of Powertools for AWS Lambda (Python) on streams, as its documentation has them."""

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

logger = Logger(service="changes")
clicks = BatchProcessor(event_type=EventType.KinesisDataStreams)
customers = BatchProcessor(event_type=EventType.DynamoDBStreams)


def count_click(record):
    click = record.kinesis.data_as_json()
    if "page" not in click:
        raise ValueError(f"click of {record.kinesis.partition_key} has no page")
    logger.info("click counted", extra={"page": click["page"]})


def mirror_customer(record):
    image = record.dynamodb.new_image
    if image and not image["name"]:  # a removal has none
        raise ValueError(f"customer {record.dynamodb.keys['id']} has no name")
    logger.info("customer mirrored", extra={"change": record.event_name.name})


@logger.inject_lambda_context
def kinesis_handler(event, context):
    return process_partial_response(event=event, record_handler=count_click, processor=clicks, context=context)


@logger.inject_lambda_context
def dynamodb_handler(event, context):
    return process_partial_response(event=event, record_handler=mirror_customer, processor=customers, context=context)
