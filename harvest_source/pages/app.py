# /// script
# [tool.marimo.display]
# theme = "system"
# ///
"""The app: a notebook that marimo serves. It has only the controls; figures are made elsewhere."""

import marimo

app = marimo.App(width="full", app_title="Harvest", css_file="style.css")


@app.cell
def _():
    from functools import partial

    import marimo as mo

    from harvest_source.pages import live

    again = mo.ui.run_button(label="Read again")
    chosen = live.Chosen(live.preset_accounts())  # This cell runs once, those below run again.
    return again, chosen, live, mo, partial


@app.cell
def _(again, live, mo):
    _pressed = again.value  # Pressing the button reads everything below again.
    choices = live.find_choices()
    if isinstance(choices, str):
        mo.stop(True, mo.vstack([mo.Html(choices), again]))
    return (choices,)


@app.cell
def _(choices, chosen, live, mo, partial):
    start, end = chosen.find_period(choices)
    names, people = live.group_by_name(choices.clients), live.group_by_name(choices.people)
    accounts = {f"{name or 'account'} ({key})": key for key, name in choices.accounts}
    asked_days, ask_days = mo.state((start, end))

    def _ask(days):
        # Each typed digit is a change: the year 2026 passes through 2, 20 and 202.
        if live.is_typed(days):
            chosen.keep_period(days, choices)
            ask_days(days)

    period = mo.ui.date_range(
        start=min(choices.first_day or start, start),
        stop=max(choices.as_of, end),
        value=(start, end),
        label="Period",
        on_change=_ask,
    )
    client = mo.ui.multiselect(
        options=names,
        value=live.find_names(names, chosen.clients),
        label="Clients",
        on_change=partial(setattr, chosen, "clients"),
    )
    person = mo.ui.multiselect(
        options=people,
        value=live.find_names(people, chosen.people),
        label="People",
        on_change=partial(setattr, chosen, "people"),
    )
    _every = "all, each by itself"
    currency = mo.ui.dropdown(
        options={_every: ""} | {each: each for each in choices.currencies},
        value=chosen.currency if chosen.currency in choices.currencies else _every,
        label="Currency",
        on_change=partial(setattr, chosen, "currency"),
    )
    account = mo.ui.multiselect(
        options=accounts,
        value=[name for name, key in accounts.items() if key in chosen.accounts],
        label="Accounts",
        on_change=partial(setattr, chosen, "accounts"),
    )
    return account, accounts, asked_days, client, currency, period, person


@app.cell
def _(account, accounts, again, client, currency, mo, period, person):
    shown = [period, client, person, currency, *([account] if len(accounts) > 1 else []), again]
    mo.hstack(shown, justify="start", wrap=True, gap=1.2, align="end")
    return


@app.cell
def _(account, asked_days, choices, chosen, client, currency, live, mo, person):
    mo.Html(
        live.describe_lost(chosen, choices)
        + live.build_view(
            choices,
            days=asked_days(),
            accounts=account.value,
            clients=client.value,
            people=person.value,
            currency=currency.value,
        )
    )
    return


if __name__ == "__main__":
    app.run()
