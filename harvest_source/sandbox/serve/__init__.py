"""The HTTP server: from a request to an answer, including limits and injected faults."""
