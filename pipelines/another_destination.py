"""
Everything to another dlt destination, by name: python another_destination.py postgres

Its credentials belong into .dlt/secrets.toml, under [destination.postgres.credentials].
"""

import sys

import dlt

from harvest_source import harvest

name = sys.argv[1]
pipeline = dlt.pipeline(f"harvest_to_{name}", destination=name, dataset_name="harvest")
print(pipeline.run(harvest()))
