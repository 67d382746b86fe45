{{ config(materialized='view_set') }}

-- depends_on: {{ ref('track') }}
-- depends_on: {{ source('columns', 'event_name') }}
-- depends_on: {{ source('columns', 'shown_column') }}

{{ event_relations() }}
