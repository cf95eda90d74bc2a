"""
The warehouse for agents: a read-only server of the Model Context Protocol (extra ``mcp``).

Start with :mod:`harvest_source.ask.mcp.tools`, what can be called, then read
:mod:`harvest_source.ask.mcp.server`, how it is served.
"""
