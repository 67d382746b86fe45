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

    A time that cannot be read is as good as none, and is named in _seamline_unread_times. A receipt
    or a `timestamp`, given or computed, that cannot be true is as good as none too: before 1990, or
    more than five minutes after the receipt. A device whose clock was wrong when it sent, and right
    when the event happened, gives such times (docs/decisions/0022-times-by-our-own-grammar.md).
#}

{% macro clock_readings(clocks) %}
    {{ return(adapter.dispatch('clock_readings')(clocks)) }}
{% endmacro %}

{% macro default__clock_readings(clocks) -%}
    {%- set given = clocks.get('timestamp', 'null') -%}
    {%- set receipt = clocks.get('receivedAt', 'null') -%}
    {%- set original = clocks.get('originalTimestamp', 'null') -%}
    {{ receipt }} is null and {{ original }} is null as is_direct,
        {{ utc_timestamp(given) }} as given_at,
        {{ utc_timestamp(original) }} as original_at,
        {{ utc_timestamp('sent_at') }} as device_sent_at,
        {{ utc_timestamp(receipt) }} as receipt_at
{%- endmacro %}


{% macro unread_times(sent) -%}
    {#
        The fields that were sent as a time and are none, as Segment calls them; null if there are
        none. What was read and is not believed is not among them: it was a time.
    #}
    {#- the batch's, which the landed line has, before an event's own #}
    {%- set sent_at = "coalesce(sent_at, " ~ sent.get('sentAt', 'null') ~ ")" -%}
    {%- set readings = [
        ['timestamp', sent.get('timestamp', 'null'), 'given_at'],
        ['originalTimestamp', sent.get('originalTimestamp', 'null'), 'original_at'],
        ['receivedAt', sent.get('receivedAt', 'null'), 'receipt_at'],
        ['sentAt', sent_at, 'device_sent_at'],
    ] -%}
    {%- set names = [] -%}
    {%- for name, text, time in readings -%}
        {%- do names.append(
            'case when ' ~ text ~ ' is not null and ' ~ time ~ " is null then '" ~ name ~ "' end"
        ) -%}
    {%- endfor -%}
    nullif(concat_ws(', ', {{ names | join(', ') }}), '') as _seamline_unread_times
{%- endmacro %}


{% macro event_times() -%}
    {%- set received = 'coalesce(' ~ believable('receipt_at', 'received_at') ~ ', received_at)' -%}
    {%- set device_at = 'case when is_direct then given_at else original_at end' -%}
    {%- set computed = received ~ ' - (device_sent_at - ' ~ device_at ~ ')' -%}
    coalesce(
            {#- through Segment: corrected already #}
            case when not is_direct then {{ believable('given_at', received) }} end,
            {#- the formula, where there is a lag to take off #}
            {{ believable(computed, received) }},
            {#- no sent_at: as given #}
            case when is_direct then {{ believable('given_at', received) }} end,
            {{ received }}
        ) as timestamp,
        {{ device_at }} as original_timestamp,
        device_sent_at as sent_at,
        {{ received }} as received_at
{%- endmacro %}


{% macro believable(time, receipt) %}
    {# A time that can be true of an event that was received then. #}
    {% do return(
        'case when ' ~ time ~ " between timestamp '1990-01-01 00:00:00' and " ~ receipt
        ~ " + interval '5 minutes' then " ~ time ~ ' end'
    ) %}
{% endmacro %}


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
        A time as senders write it, in UTC; null where it is none. Understood: ISO 8601, extended
        or basic, to the day (extended only), hour, minute, second or any fraction of it (cut to
        the microsecond), with any offset up to 18 hours (none is UTC), also unpadded, and Go's
        `2020-05-09 23:54:49.209808489 +0000 UTC m=+70366.298768264`. A bare number is no time:
        days, seconds and milliseconds cannot be told apart for good. Nor is a zone's name alone.
    #}
    {% do return(adapter.dispatch('utc_timestamp')(text)) %}
{% endmacro %}

{% macro duckdb__utc_timestamp(text) %}
    {#
        DuckDB's cast to timestamptz is not asked: it keeps a zone that one row names for the rows
        behind it. Its cast to timestamp knows no zones. Almost all texts are of the plain form,
        which is told quickly; all others are taken apart.
    #}
    {% if text == 'null' %}
        {% do return('cast(null as timestamp)') %}
    {% endif %}
    {# the two forms that nearly all senders write, which a cast alone can read #}
    {% set plain = '[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9]([.][0-9]{1,9})?' %}
    {# Z, a name of UTC or an offset, and what Java and Go write behind it, which says nothing more #}
    {% set offset = '(?:\\s*(?:[Zz]|UTC|GMT|([+-])(0[0-9]|1[0-8])(?::?([0-5][0-9]))?)'
        ~ '(?:\\[[^\\]]*\\]|\\s+[A-Za-z0-9+-]{1,6}(?:\\s+m=[+-][0-9.]+)?)?)?'
    %}
    {% set extended = '([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:(?:[Tt]|\\s+)([0-9]{1,2})'
        ~ '(?::([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?)?' ~ offset ~ ')?'
    %}
    {% set basic = '([0-9]{4})([0-9]{2})([0-9]{2})[Tt]([0-9]{2})'
        ~ '(?:([0-9]{2})(?:([0-9]{2})(?:[.,]([0-9]+))?)?)?' ~ offset
    %}
    {% set parts = "['year', 'month', 'day', 'hour', 'minute', 'second', 'fraction',"
        ~ " 'sign', 'hours', 'minutes']"
    %}
    {% set taken_apart = 'case when ' ~ text ~ " like '%-%' and not regexp_matches(" ~ text
        ~ ", '^\\s*[0-9]{8}') then regexp_extract(" ~ text ~ ", '^\\s*" ~ extended ~ "\\s*$', "
        ~ parts ~ ') else regexp_extract(' ~ text ~ ", '^\\s*" ~ basic ~ "\\s*$', " ~ parts ~ ') end'
    %}
    {# an hour or minute that is left out is 0; a second of 60 is one of 59 and one more, below #}
    {% set local = "try_cast(concat(part.year, '-', part.month, '-', part.day, ' ',"
        ~ " if(part.hour = '', '00', part.hour), ':', if(part.minute = '', '00', part.minute), ':',"
        ~ " case part.second when '' then '00' when '60' then '59' else part.second end,"
        ~ " if(part.fraction = '', '', '.' || left(part.fraction, 6))) as timestamp)"
    %}
    {# minutes that the sender's clock is ahead of UTC, which are taken off again #}
    {% set east = "coalesce(try_cast(part.sign || '1' as integer), 0) * (60"
        ~ " * coalesce(try_cast(part.hours as integer), 0)"
        ~ " + coalesce(try_cast(part.minutes as integer), 0))"
    %}
    {% set shift = '- to_minutes(' ~ east ~ ") + to_seconds(if(part.second = '60', 1, 0))" %}
    {# a list of one, so that what is found is named and not worked out again #}
    {% set moment = 'case when abs(' ~ east ~ ') <= 18 * 60 then ' ~ local ~ ' ' ~ shift ~ ' end' %}
    {% set read = 'list_transform(list_transform([' ~ taken_apart ~ '], lambda part: ' ~ moment
        ~ '), lambda moment: ' ~ within_the_calendar('moment') ~ ')[1]'
    %}
    {% set as_written = 'try_cast(' ~ text ~ ' as timestamp)' %}
    {# in the plain form the offset is always the last six characters #}
    {% set minutes = '(60 * try_cast(substr(' ~ text ~ ', -5, 2) as integer) + try_cast(right('
        ~ text ~ ', 2) as integer))'
    %}
    {% set shifted = as_written ~ ' - to_minutes(case when substr(' ~ text ~ ", -6, 1) = '-' then -"
        ~ minutes ~ ' else ' ~ minutes ~ ' end)'
    %}
    {% do return(
        'case when ' ~ text ~ ' is null then null when regexp_full_match(' ~ text ~ ", '" ~ plain
        ~ "Z?') then " ~ within_the_calendar(as_written)
        ~ ' when regexp_full_match(' ~ text ~ ", '" ~ plain
        ~ "[+-]((0[0-9]|1[0-7]):[0-5][0-9]|18:00)') then " ~ within_the_calendar(shifted)
        ~ ' else ' ~ read ~ ' end'
    ) %}
{% endmacro %}
