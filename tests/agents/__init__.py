"""Agent frameworks over the server for agents, each in an environment of its own."""
