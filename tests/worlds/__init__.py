"""Worlds in memory that pollers run in under virtual time: services, what goes wrong around them, and whole simulations.

Nothing here sleeps real time, opens a socket or needs an emulator, and every run with the same seed is the same. The services are
held to the emulators by ``tests/contract``: a test there runs against both.

Time
    ``virtual_time``     an event loop whose clock leaps to the next timer, and the wall clock that goes with it
    ``stopped_processes``  parts of a world that stand still for a while, as between SIGSTOP and SIGCONT

Services
    ``memory_sqs``       queues, standard and FIFO: visibility, redrive, deduplication, locks of message groups
    ``memory_streams``   Kinesis and DynamoDB Streams: shards that split, merge and end, retention, enhanced fan-out
    ``stream_records``   their records, as they are sent and as functions get them
    ``memory_feed``      a change feed that no AWS service has: resume tokens without an order, one shard without an end
    ``memory_cluster``   databases and their log, as MongoDB and DocumentDB keep it; ``memory_changes`` are its change streams
    ``lease_table``      a lease table that replicas share: ``lease_handle`` is the way of each, cut off, throttled and late by
                         itself, by seed; ``lease_requests`` and ``lease_units`` are what is asked of it, and what that costs
    ``inline_state``     the real state file, without its thread
    ``async_world``      an asynchronous queue, with functions and targets that do as they are told
    ``memory_aws``       a region that gives these services to whatever asks for clients

What goes wrong
    ``call_faults``      around any call of any service: it fails first, or its reply is lost; once, always, every n-th time
    ``faulty_sqs``       what SQS may do by its own terms, by seed: duplicates, failed entries, short replies, outages
    ``stream_faults``    what streams and checkpoint stores may do, by seed
    ``flipping_disk``    the real checkpoint file on a disk that flips bits of it
    ``unread_logs``      logs whose reader has stalled
    ``wire_mutations``   replies with something wrong in them, byte by byte and member by member

One mapping, for tests of a single behaviour of one kind of source (what all kinds share is in ``tests/pollers``)
    ``sqs_world``        a queue, a function that does as it is told, and a poller between them
    ``stream_rig``       the same for a stream of Kinesis or DynamoDB

Replicas
    ``lease_replicas``   many that share leases: the deciders alone, on a table in memory, with its costs

Simulations: one seed is one long story with crashes and stops, and a list of what must hold in all of it
    ``seeds``            which seeds a test runs, and how one is run again
    ``async_simulation`` of the asynchronous queue
    ``sqs_simulation``   of a queue
    ``stream_simulation``  of a stream; ``stream_watch`` is what must hold
    ``change_simulation``  of a change stream
    ``replica_simulation``  of several replicas that share a stream; ``replica`` is one, ``replica_faults`` is what happens to them,
                            ``replica_watch`` is what must hold; ``replica_hand_overs`` is the same while nothing fails but they
    ``wire_sqs``, ``wire_streams``, ``wire_transport``  the same stories through the real clients, with mutated replies
"""
