"""Pages for people who read no tables: an app, a report, a sheet to sign. They fetch nothing."""
