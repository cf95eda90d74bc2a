"""The dlt source: resources, hints and load packages. Opens no sockets."""
