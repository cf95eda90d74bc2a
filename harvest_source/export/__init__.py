"""Exports tables to files for spreadsheets and other programs; only reads the warehouse."""
