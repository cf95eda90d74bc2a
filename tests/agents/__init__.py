"""Tests of the server for agents with agent frameworks, each in its own environment."""
