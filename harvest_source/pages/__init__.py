"""Pages for people who run no queries: an app, a report, a sheet to sign. They fetch nothing."""
