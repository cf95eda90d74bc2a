"""
The warehouse for agents: a server of the Model Context Protocol, read-only (extra ``mcp``).

Begin with :mod:`harvest_source.ask.mcp.tools`, what can be called, then
:mod:`harvest_source.ask.mcp.server`, how it is served.
"""
