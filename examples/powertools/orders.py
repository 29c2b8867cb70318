"""Batch processors of Powertools for AWS Lambda (Python) on queues, as its documentation has them.

    pip install aws-lambda-powertools

A processor is shared by all invocations of its module and takes one batch at a time: run these with `runtime: python`, where
each worker has a module of its own, or in process with `concurrency: 1`.
"""

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    SqsFifoPartialProcessor,
    process_partial_response,
)

logger = Logger(service="orders")
standard = BatchProcessor(event_type=EventType.SQS)
fifo = SqsFifoPartialProcessor()
by_group = SqsFifoPartialProcessor(skip_group_on_error=True)


def take(record):
    order = record.json_body
    if order["amount"] < 0:
        raise ValueError(f"order {order['id']} has a negative amount")
    logger.info("order taken", extra={"order": order["id"], "attempt": record.attributes.approximate_receive_count})


@logger.inject_lambda_context
def handler(event, context):
    return process_partial_response(event=event, record_handler=take, processor=standard, context=context)


@logger.inject_lambda_context
def fifo_handler(event, context):
    return process_partial_response(event=event, record_handler=take, processor=fifo, context=context)


@logger.inject_lambda_context
def fifo_by_group_handler(event, context):
    return process_partial_response(event=event, record_handler=take, processor=by_group, context=context)
