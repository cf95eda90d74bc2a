"""
Talking to Harvest, knowing nothing of dlt.

Reading order: ``client`` (one account: pages, counts, objects), ``http`` (one GET, from limiter to
status), ``retry`` (what is tried again, and for how long), ``limiter`` (how often we may ask),
``pages`` (envelope and rows), ``links`` (which addresses a token may go to).
"""
