-- An example: copy it, change it, or delete it with its page (_daily_activity.yml).
-- A view costs nothing until somebody reads it.
with calls as (
    select received_at, user_id, anonymous_id, 'page' as call from {{ ref('page') }}
    union all
    select received_at, user_id, anonymous_id, 'screen' as call from {{ ref('screen') }}
    union all
    select received_at, user_id, anonymous_id, 'track' as call from {{ ref('track') }}
)

select
    cast(received_at as date) as day,
    count(distinct coalesce(user_id, anonymous_id)) as people,
    count(*) as events,
    count(*) filter (where call = 'track') as tracks,
    count(*) filter (where call = 'page') as pages,
    count(*) filter (where call = 'screen') as screens
from calls
group by all
