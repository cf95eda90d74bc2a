{% test unique_grain(model, columns, nullable=[]) %}
  {# One row for each combination of the columns, none of them null but those in nullable. #}
  select {{ columns | join(', ') }}, count(*) as found
  from {{ model }}
  group by {{ columns | join(', ') }}
  having count(*) > 1
  {% for column in columns if column not in nullable %}
    or {{ column }} is null
  {% endfor %}
{% endtest %}
