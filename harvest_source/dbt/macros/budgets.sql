{% macro budget_columns() %}
  {#-
    Left, share and outlook of a budget, from: budget, spent, weekly_use, as_of, period_end, limit_end.
    The outlook goes on as the last four full weeks went.
  -#}
  {{ harvest_source.money('budget') }} as budget,
  {{ harvest_source.money('spent') }} as spent,
  {{ harvest_source.money('budget - spent') }} as budget_left,
  {{ harvest_source.ratio('spent', 'budget') }} as spent_share_of_budget,
  coalesce(spent > budget, false) as is_over,
  {{ harvest_source.money('weekly_use') }} as weekly_use,
  {{ harvest_source.money(
    'case
      when period_end is null or budget is null then null
      when period_end <= as_of then spent
      else spent + weekly_use * (period_end - as_of) / 7
    end'
  ) }} as projected,
  case
    when
      budget - spent >= 0
      and weekly_use > 0
      and (budget - spent) * 7 / weekly_use < 36500
      and (
        last_day is null
        or as_of + cast(floor((budget - spent) * 7 / weekly_use) as integer) <= last_day
      )
      then as_of + cast(floor((budget - spent) * 7 / weekly_use) as integer)
  end as runs_out_on
{%- endmacro %}
