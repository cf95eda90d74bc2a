"""Everything that the token may read, by plain dlt."""

import dlt
from harvest import harvest

if __name__ == "__main__":
    # Not "harvest": dlt would load into the warehouse of harvest-source sync on the same machine.
    pipeline = dlt.pipeline("harvest_plain", destination="duckdb", dataset_name="harvest_data")
    print(pipeline.run(harvest()))
