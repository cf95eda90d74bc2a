"""Reading Harvest's lists without losing a row. Begin with ``extraction``, then ``strategies``."""
