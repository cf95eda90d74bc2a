"""ibis on PostgreSQL."""

import ibis
from tasks import count_rows, run


class Client:
    def __init__(self, address):
        # begin connect
        self.connection = ibis.connect(address)
        # end connect

    def query(self, sql):
        return self.connection.raw_sql(sql).fetchall()

    def export(self, sql, path):
        table = self.connection.table("time_entries", database="harvest")
        table.select("id", "hours", "notes", "created_at").to_csv(path)
        return count_rows(path)


def by_month(client):
    entries = client.connection.table("time_entries", database="harvest")
    day = entries.spent_date
    year_month = (day.year() * 100 + day.month()).name("year_month")
    groups = entries.group_by([entries.client__name, year_month])
    sums = groups.aggregate(total=entries.hours.sum()).order_by(["client__name", "year_month"])
    return sums.execute().itertuples(index=False)


run(Client, list=lambda c: sorted(c.connection.list_tables(database="harvest")), sum=by_month)
