{% test refers_to(model, references) %}
  {#
    Every reference, column to {model, column}, finds its row in the same account. One to the table of
    a module that is off finds nothing, and is not looked at.
  #}
  {% for column, parent in references.items() if not parent.module or var('harvest_' ~ parent.module) %}
    select '{{ column }}' as reference, child.account_id, child.{{ column }} as missing
    from {{ model }} as child
    left join {{ ref(parent.model) }} as parent
      on parent.account_id = child.account_id and parent.{{ parent.column }} = child.{{ column }}
    where child.{{ column }} is not null and parent.{{ parent.column }} is null
    {% if not loop.last %}union all{% endif %}
  {% else %}
    select 1 as nothing where 1 = 0
  {% endfor %}
{% endtest %}
