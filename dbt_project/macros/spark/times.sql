{# A time as senders write it, on Spark: the grammar of macros/times.sql. #}

{% macro spark__clock_readings(clocks) -%}
    {#- the grammar once for all four: it is long -#}
    {%- set given = clocks.get('timestamp', 'null') -%}
    {%- set receipt = clocks.get('receivedAt', 'null') -%}
    {%- set original = clocks.get('originalTimestamp', 'null') -%}
    {%- set texts = [given, original, 'sent_at', receipt] | join(', ') -%}
    {{ receipt }} is null and {{ original }} is null as is_direct,
        transform(
            cast(array({{ texts }}) as array<string>), text -> {{ utc_timestamp('text') }}
        ) as read_clocks,
        read_clocks[0] as given_at,
        read_clocks[1] as original_at,
        read_clocks[2] as device_sent_at,
        read_clocks[3] as receipt_at
{%- endmacro %}


{% macro spark__utc_timestamp(text) %}
    {% if text == 'null' %}
        {% do return('cast(null as timestamp_ntz)') %}
    {% endif %}
    {# what RE2 has for \s, which Java has one more of #}
    {% set blank = '[\\t\\n\\f\\r ]' %}
    {% set plain = '[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-5][0-9](?:[.][0-9]{1,9})?' %}
    {% set offset = '(?:' ~ blank ~ '*(?:[Zz]|UTC|GMT|([+-])(0[0-9]|1[0-8])(?::?([0-5][0-9]))?)'
        ~ '(?:\\[[^\\]]*\\]|' ~ blank ~ '+[A-Za-z0-9+-]{1,6}(?:' ~ blank ~ '+m=[+-][0-9.]+)?)?)?'
    %}
    {% set extended = '^' ~ blank ~ '*([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:(?:[Tt]|' ~ blank
        ~ '+)([0-9]{1,2})(?::([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?)?' ~ offset ~ ')?' ~ blank
        ~ '*\\z'
    %}
    {% set basic = '^' ~ blank ~ '*([0-9]{4})([0-9]{2})([0-9]{2})[Tt]([0-9]{2})'
        ~ '(?:([0-9]{2})(?:([0-9]{2})(?:[.,]([0-9]+))?)?)?' ~ offset ~ blank ~ '*\\z'
    %}
    {% set as_extended = "(" ~ text ~ " like '%-%' and not " ~ text ~ " rlike r'^" ~ blank
        ~ "*[0-9]{8}')"
    %}
    {# year, month, day, hour, minute, second, fraction, sign, hours and minutes of the offset #}
    {% set order = "'$1|$2|$3|$4|$5|$6|$7|$8|$9|$10'" %}
    {% set parts = "split(case when " ~ as_extended ~ " and " ~ text ~ " rlike r'" ~ extended
        ~ "' then regexp_replace(" ~ text ~ ", r'" ~ extended ~ "', " ~ order ~ ") when not "
        ~ as_extended ~ " and " ~ text ~ " rlike r'" ~ basic ~ "' then regexp_replace(" ~ text
        ~ ", r'" ~ basic ~ "', " ~ order ~ ") end, '[|]')"
    %}
    {% set hour = "(case part[3] when '' then 0 else cast(part[3] as int) end)" %}
    {% set minute = "(case part[4] when '' then '00' else part[4] end)" %}
    {% set second = "(case part[5] when '' then '00' when '60' then '59' else part[5] end)" %}
    {% set fraction = "rpad(left(part[6], 6), 6, '0')" %}
    {# an hour of 24 is midnight's, and of no other moment #}
    {% set is_midnight = "(" ~ hour ~ " = 24 and " ~ minute ~ " = '00' and " ~ second
        ~ " = '00' and " ~ fraction ~ " = '000000')"
    %}
    {% set local = "try_cast(concat(part[0], '-', lpad(part[1], 2, '0'), '-', lpad(part[2], 2, '0'),"
        ~ " 'T', case when " ~ is_midnight ~ " then '00' else lpad(" ~ hour ~ ", 2, '0') end, ':', "
        ~ minute ~ ", ':', " ~ second ~ ", '.', " ~ fraction ~ ") as timestamp_ntz)"
    %}
    {% set east = "(case part[7] when '+' then 1 when '-' then -1 else 0 end * (60 * "
        ~ "coalesce(try_cast(part[8] as int), 0) + coalesce(try_cast(part[9] as int), 0)))"
    %}
    {% set moment = "case when abs(" ~ east ~ ") <= 18 * 60 then " ~ local
        ~ " + make_dt_interval(case when " ~ is_midnight ~ " then 1 else 0 end, 0, -" ~ east
        ~ ", case when part[5] = '60' then 1 else 0 end) end"
    %}
    {% set read = 'transform(transform(array(' ~ parts ~ '), part -> ' ~ moment
        ~ '), moment -> ' ~ within_the_calendar('moment') ~ ')[0]'
    %}
    {% set as_written = 'try_cast(' ~ text ~ ' as timestamp_ntz)' %}
    {% do return(
        'case when ' ~ text ~ " is null then null when " ~ text ~ " rlike r'^" ~ plain
        ~ "Z?\\z' then " ~ within_the_calendar(as_written) ~ ' else ' ~ read ~ ' end'
    ) %}
{% endmacro %}


{% macro spark__epoch_microseconds(time) %}
    {% do return("timestampdiff(microsecond, timestamp_ntz '1970-01-01 00:00:00', " ~ time ~ ")") %}
{% endmacro %}
