"""Files for spreadsheets and other programs, from a warehouse that is only read."""
