"""What happens, as facts, and the folds over them. Imports nothing above it: whoever has a fact emits it, and knows no sink.

::

    facts                         what can happen, and how it reaches the sinks
      counts                        what a fact adds to which count; from it:
        ledger                        the books of one mapping, which must balance
        tally  families  metrics      Prometheus's metrics
      board  series  troubles       how each mapping stands now, and how it has gone in the last minutes
      recorder  conclusions         what happened to one event, and what follows from that
      tracing  trace_headers        spans
    logging  output  metric_lines  the log, and standard output that never blocks

Nothing is imported here: prometheus-client and OpenTelemetry are wanted by a running Headrace only.
"""
