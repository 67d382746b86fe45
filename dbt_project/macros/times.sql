{#
    The four times of an event. Its own clock is not to be trusted, the clock of whoever received
    it first is, so `timestamp` is the time at which the event happened by the receiver's clock:

        timestamp = received_at - (sent_at - original_timestamp)

    - Through Segment, the payload brings `receivedAt`, `originalTimestamp` and a `timestamp` that
      is corrected already; that one is kept. Where it is missing, the formula is ours to apply.
    - Straight from an SDK, nobody has corrected anything: there is no `receivedAt` and no
      `originalTimestamp`, and `timestamp` is the device's. So it is our original_timestamp, our
      own time of receipt is received_at, and the formula is ours to apply.
    - Without sent_at there is no lag to take off: an SDK's time is then kept as given (a
      historical import sends no sent_at). Without any time, the event happened when it came.

    A time that cannot be read is as good as none.
#}

{% macro clock_readings(clocks) -%}
    {%- set receipt = clocks.get('receivedAt', 'null') -%}
    {%- set original = clocks.get('originalTimestamp', 'null') -%}
    {{ receipt }} is null and {{ original }} is null as is_direct,
        {{ utc_timestamp(clocks.get('timestamp', 'null')) }} as given_at,
        {{ utc_timestamp(original) }} as original_at,
        {{ utc_timestamp('sent_at') }} as device_sent_at,
        coalesce({{ utc_timestamp(receipt) }}, received_at) as first_received_at
{%- endmacro %}


{% macro event_times() -%}
    {%- set device_at = 'case when is_direct then given_at else original_at end' -%}
    {%- set lag = 'device_sent_at - ' ~ device_at -%}
    coalesce(
            case when not is_direct then given_at end,
            {{ within_the_calendar('first_received_at - (' ~ lag ~ ')') }},
            case when is_direct then given_at end,
            first_received_at
        ) as timestamp,
        {{ device_at }} as original_timestamp,
        device_sent_at as sent_at,
        first_received_at as received_at
{%- endmacro %}


{% macro within_the_calendar(time) %}
    {# Years 1 to 9999: what every client can hold. #}
    {% set first = "timestamp '0001-01-01 00:00:00'" %}
    {% set last = "timestamp '9999-12-31 23:59:59.999999'" %}
    {% do return(
        'case when ' ~ time ~ ' between ' ~ first ~ ' and ' ~ last ~ ' then ' ~ time ~ ' end'
    ) %}
{% endmacro %}


{% macro utc_timestamp(text) %}
    {#
        A time as senders write it, in UTC; null where it is none. Understood: ISO 8601 with any
        offset (none is UTC), unpadded, to the nanosecond (cut to the microsecond), and Go's
        `2020-05-09 23:54:49.209808489 +0000 UTC m=+70366.298768264`. A bare number is no time:
        seconds and milliseconds cannot be told apart for good.
    #}
    {% do return(adapter.dispatch('utc_timestamp')(text)) %}
{% endmacro %}

{% macro duckdb__utc_timestamp(text) %}
    {# `epoch` and `infinity` are times to DuckDB: ask for the four digits of a year first #}
    {% set iso = "case when " ~ text ~ " like '____-%' then " ~ text ~ " end" %}
    {% set go = "regexp_replace(" ~ iso ~ ", '^(\\S+ \\S+) ([+-]\\d{4}) .*$', '\\1\\2')" %}
    {# a cast to timestamp would drop the offset; in timestamptz it counts #}
    {% set time =
        "(coalesce(try_cast(" ~ iso ~ " as timestamptz), try_cast(" ~ go ~ " as timestamptz))"
        ~ " at time zone 'UTC')"
    %}
    {% do return(within_the_calendar(time)) %}
{% endmacro %}
