"""A Kinesis stream to a function, end to end: the command, real worker processes, reshards, signals and kill -9."""
