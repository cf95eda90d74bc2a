"""Opens addresses in the user's browser."""

from __future__ import annotations

import threading
import webbrowser

from harvest_source.cli.console import Console


def open_browser(url: str, console: Console) -> None:
    """
    Open *url* in a thread, and return immediately; a failure is printed as a warning.

    A browser named in BROWSER may block until it is closed, and it may need the server that the
    caller starts next.
    """

    def open_it() -> None:
        try:
            is_open = webbrowser.open(url)
        except Exception:  # BROWSER may contain anything.
            is_open = False
        if not is_open:
            console.note("warning", "No browser could be opened: open the address by hand.")

    threading.Thread(target=open_it, name="harvest-browser", daemon=True).start()
