-- The default rates that held for the person on the day of each time entry.
-- What Harvest billed is the entry's own billable_rate: a project may have rates of its own.
SELECT
    entry.account_id,
    entry.id,
    entry.spent_date,
    entry.user__name,
    (
        SELECT rate.amount
        FROM billable_rates AS rate
        WHERE rate.account_id = entry.account_id
            AND rate.user_id = entry.user__id
            AND (rate.start_date IS NULL OR rate.start_date <= entry.spent_date)
        ORDER BY rate.start_date DESC NULLS LAST
        LIMIT 1
    ) AS billable_rate,
    (
        SELECT rate.amount
        FROM cost_rates AS rate
        WHERE rate.account_id = entry.account_id
            AND rate.user_id = entry.user__id
            AND (rate.start_date IS NULL OR rate.start_date <= entry.spent_date)
        ORDER BY rate.start_date DESC NULLS LAST
        LIMIT 1
    ) AS cost_rate
FROM time_entries AS entry
ORDER BY entry.account_id, entry.spent_date, entry.id
