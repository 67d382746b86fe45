"""Ten questions that analysts ask of events, in SQL that three stores understand alike.

They name the tables `track`, `page` and `identify` with the columns that Seamline gives them. Where
events are JSON in one column, views of these names read it.
"""

from typing import NamedTuple

_WHO = "coalesce(user_id, anonymous_id)"

QUESTIONS = {
    "daily active users": f"""
        select date_trunc('day', timestamp) as day, count(distinct {_WHO}) as users
        from track group by all order by all
    """,
    "events by name and day": """
        select date_trunc('day', timestamp) as day, event, count(*) as events
        from track group by all order by all
    """,
    "funnel from view to order": """
        with first_times as (
            select
                user_id,
                min(timestamp) filter (event = 'Product Viewed') as viewed,
                min(timestamp) filter (event = 'Product Added') as added,
                max(timestamp) filter (event = 'Order Completed') as ordered
            from track where user_id is not null group by all
        )
        select
            count(viewed), count(*) filter (added >= viewed),
            count(*) filter (added >= viewed and ordered >= added)
        from first_times
    """,
    "retention by week": """
        with weeks as (
            select distinct user_id, date_trunc('week', timestamp) as week
            from track where user_id is not null
        ),
        cohorts as (select user_id, min(week) as cohort from weeks group by all)
        select cohort, date_diff('week', cohort, week) as later, count(*) as users
        from weeks join cohorts using (user_id) group by all order by all
    """,
    "revenue by campaign": """
        select context__campaign__name as campaign, count(*) as orders,
            sum(properties__price::decimal(18, 2)) as revenue
        from track where event = 'Order Completed' group by all order by all
    """,
    "one user's timeline": """
        select timestamp, 'track' as call, event as what from track where user_id = 'user-17'
        union all
        select timestamp, 'page', properties__path from page where user_id = 'user-17'
        union all
        select timestamp, 'identify', null from identify where user_id = 'user-17'
        order by all
    """,
    "top pages": """
        select properties__path as path, count(*) as views, count(distinct anonymous_id) as visitors
        from page group by all order by views desc, path limit 20
    """,
    "sessions, thirty minutes apart": f"""
        with gaps as (
            select
                timestamp - lag(timestamp) over (partition by {_WHO} order by timestamp)
                    as since
            from track
        )
        select count(*) as sessions from gaps where since is null or since > interval 30 minute
    """,
    "browsers of buyers": """
        select context__user_agent as browser, count(distinct user_id) as buyers
        from track where event in ('Order Completed', 'Checkout Started')
        group by all order by all
    """,
    "one day, hour by hour": """
        select date_trunc('hour', timestamp) as hour, event, count(*) as events,
            avg(properties__position) as position
        from track
        where timestamp >= timestamp '2026-01-09' and timestamp < timestamp '2026-01-10'
        group by all order by all
    """,
}


class Column(NamedTuple):
    """A column that a question asks for, and where JSON has it."""

    name: str
    path: str
    type: str = "varchar"


COLUMNS = {
    "track": [
        Column("event", "$.event"),
        Column("context__campaign__name", "$.context.campaign.name"),
        Column("context__user_agent", "$.context.userAgent"),
        Column("properties__price", "$.properties.price", "double"),
        Column("properties__position", "$.properties.position", "double"),
    ],
    "page": [Column("properties__path", "$.properties.path")],
    "identify": [],
}
"""Call → the columns that its questions ask for, besides those of all calls."""

_COMMON = [
    Column("user_id", "$.userId"),
    Column("anonymous_id", "$.anonymousId"),
    Column("timestamp", "$.timestamp", "timestamp"),
]


def view_on_json(call: str) -> str:
    """SQL of a view that has the columns of a call, read from `events.payload`."""
    columns = ", ".join(
        f"(payload ->> '{column.path}')::{column.type} as {column.name}"
        for column in (*_COMMON, *COLUMNS[call])
    )
    return f"""
        create view {call} as select {columns} from events where payload ->> '$.type' = '{call}'
    """
