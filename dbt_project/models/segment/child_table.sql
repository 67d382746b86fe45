{{ config(materialized='view_set') }}

{%- for call in calls() %}
-- depends_on: {{ ref(call) }}
{%- endfor %}
-- depends_on: {{ source('columns', 'placement') }}

{{ view_set_rows(child_tables()) }}
