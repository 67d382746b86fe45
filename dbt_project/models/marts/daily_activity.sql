-- An example: copy it, change it, or delete it with its page (_daily_activity.yml).
-- A view costs nothing until somebody reads it.
with calls as (
    {% for call in ['page', 'screen', 'track'] %}
        select
            received_at,
            coalesce(user_id, anonymous_id) as person,
            '{{ call }}' as call
        from {{ ref(call) }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select
    cast(received_at as date) as day,
    count(distinct person) as people,
    count(*) as events,
    count(*) filter (where call = 'track') as tracks,
    count(*) filter (where call = 'page') as pages,
    count(*) filter (where call = 'screen') as screens
from calls
group by all
