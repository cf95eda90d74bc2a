"""
Templates of single records, with every member that Harvest serves.

Members are in the order of recorded answers: numbers and texts first, nested objects last, with
``created_at`` and ``updated_at`` somewhere between. The documentation has another order.
"""
