"""The format of recorded executions: header, events, values, readers and writers. It knows the protocol, and nothing that uses it."""
