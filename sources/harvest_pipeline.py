"""Everything that the token may read, by plain dlt."""

import dlt
from harvest import harvest

if __name__ == "__main__":
    pipeline = dlt.pipeline("harvest", destination="duckdb", dataset_name="harvest_data")
    print(pipeline.run(harvest()))
