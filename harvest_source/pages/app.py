# /// script
# [tool.marimo.display]
# theme = "system"
# ///
"""The app: a notebook that marimo serves. It has only the controls; figures are made elsewhere."""

import marimo

app = marimo.App(width="full", app_title="Harvest", css_file="style.css")


@app.cell
def _():
    import marimo as mo

    from harvest_source.pages import live

    again = mo.ui.run_button(label="Read again")
    return again, live, mo


@app.cell
def _(again, live, mo):
    _pressed = again.value  # Pressing the button reads everything below again.
    choices = live.find_choices()
    if isinstance(choices, str):
        mo.stop(True, mo.vstack([mo.Html(choices), again]))
    return (choices,)


@app.cell
def _(choices, live, mo):
    start, end = choices.default_period()
    names, people = live.group_by_name(choices.clients), live.group_by_name(choices.people)
    accounts = {f"{name or 'account'} ({key})": key for key, name in choices.accounts}
    asked_days, ask_days = mo.state((start, end))
    period = mo.ui.date_range(
        start=min(choices.first_day or start, start),
        stop=choices.as_of,
        value=(start, end),
        label="Period",
        # Each typed digit is a change: the year 2026 passes through 2, 20 and 202.
        on_change=lambda days: ask_days(days) if live.is_typed(days) else None,
    )
    client = mo.ui.multiselect(options=names, label="Clients")
    person = mo.ui.multiselect(options=people, label="People")
    currency = mo.ui.dropdown(
        options={"all, each by itself": ""} | {each: each for each in choices.currencies},
        value="all, each by itself",
        label="Currency",
    )
    preset = [name for name, key in accounts.items() if key in live.preset_accounts()]
    account = mo.ui.multiselect(options=accounts, value=preset, label="Accounts")
    return account, accounts, asked_days, client, currency, period, person


@app.cell
def _(account, accounts, again, client, currency, mo, period, person):
    shown = [period, client, person, currency, *([account] if len(accounts) > 1 else []), again]
    mo.hstack(shown, justify="start", wrap=True, gap=1.2, align="end")
    return


@app.cell
def _(account, asked_days, choices, client, currency, live, mo, person):
    mo.Html(
        live.build_view(
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
