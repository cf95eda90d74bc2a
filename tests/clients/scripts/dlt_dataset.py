"""dlt's dataset(), through harvest_source.attach(): the address is JSON with its arguments."""

import json
import os

from tasks import run

import harvest_source


class Client:
    def __init__(self, address):
        given = json.loads(address)
        os.environ.update(given.pop("environment", {}))
        # begin connect
        self.pipeline = harvest_source.attach(**given)
        self.dataset = self.pipeline.dataset()
        # end connect

    def query(self, sql):
        return self.dataset(sql.replace("harvest.", "")).fetchall()

    def export(self, sql, path):
        frame = self.dataset.time_entries.select("id", "hours", "notes", "created_at").df()
        frame.to_csv(path, index=False)
        return len(frame)


def tables(client):
    return sorted(client.dataset.tables)


run(Client, list=tables)
