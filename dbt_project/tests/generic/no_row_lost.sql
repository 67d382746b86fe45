{% test no_row_lost(model, copies) %}

{# Every message that was received is in the table, and nothing else is. #}

with

messages as (

    select distinct message_id from {{ copies }}

)

select coalesce(messages.message_id, kept.message_id) as message_id
from messages
{# both ways: a row without a received copy is as wrong as a message without a row #}
full outer join {{ model }} as kept on messages.message_id = kept.message_id
where messages.message_id is null or kept.message_id is null

{% endtest %}
