{# Numbers on Spark, as DuckDB reads and writes them. #}

{% macro finite_double(text) %}
    {#
        The grammar is DuckDB's: Java takes `1d` for a number, and no underscore. Infinite is null.
    #}
    {% set digits = '[0-9](?:_?[0-9])*' %}
    {% set number = '[ \\t\\n\\x0B\\f\\r]*[+]?-?(?:' ~ digits ~ '(?:[.](?:' ~ digits ~ ')?)?|[.]'
        ~ digits ~ ')(?:[eE][+-]?' ~ digits ~ ')?[ \\t\\n\\x0B\\f\\r]*'
    %}
    {% set plain = "regexp_replace(" ~ text ~ ", r'^[ \\t\\n\\x0B\\f\\r]*[+]?|_|[ \\t\\n\\x0B\\f\\r]+\\z', '')" %}
    {% do return(
        "case when " ~ text ~ " rlike r'^" ~ number ~ "\\z' and abs(try_cast(" ~ plain
        ~ " as double)) < double('Infinity') then try_cast(" ~ plain ~ " as double) end"
    ) %}
{% endmacro %}


{% macro whole_number(text) %}
    {# `1.0` is one to DuckDB. #}
    {% do return("try_cast(regexp_replace(" ~ text ~ ", r'[.]0+\\z', '') as bigint)") %}
{% endmacro %}


{% macro spark__is_held_by_double(text, whole) %}
    {% set short = 'try_cast(' ~ text ~ ' as bigint)' %}
    {# the largest of all becomes a double above it, which is cut to it again on the way back #}
    {% set is_held = 'coalesce(' ~ short ~ ' <> 9223372036854775807 and cast(cast(' ~ short
        ~ ' as double) as bigint) = ' ~ short ~ ', false)'
    %}
    {% if whole == 'bigint' %} {% do return(is_held) %} {% endif %}
    {# a double has 53 binary digits: of a longer number the others have to be 0 #}
    {% set long = 'try_cast(' ~ text ~ ' as decimal(38, 0))' %}
    {% set pairs = [] %}
    {% for place in range(74) %}
        {% do pairs.append('named_struct(\'least\', cast(' ~ 2 ** (53 + place)
            ~ 'BD as decimal(38, 0)), \'unit\', cast(' ~ 2 ** (place + 1) ~ 'BD as decimal(38, 0)))')
        %}
    {% endfor %}
    {# a hugeint may have 39, which no decimal has: those up to 2^127 - 1, of which 74 have to be 0 #}
    {% set digits = "ltrim('0', ltrim('-', " ~ text ~ "))" %}
    {% set unit = 'cast(' ~ 2 ** 74 ~ 'BD as decimal(38, 0))' %}
    {% set is_longest_held = '(' ~ digits ~ " <= '" ~ (2 ** 127 - 1) ~ "' and (10BD * (try_cast(left("
        ~ digits ~ ', 38) as decimal(38, 0)) % ' ~ unit ~ ') + try_cast(right(' ~ digits
        ~ ', 1) as decimal(38, 0))) % ' ~ unit ~ ' = 0)'
    %}
    {% do return(
        'coalesce(case when length(' ~ digits ~ ') = 39 then ' ~ is_longest_held
        ~ ' else not exists(array(' ~ pairs | join(', ') ~ '), power -> abs(' ~ long
        ~ ') >= power.least and ' ~ long ~ ' % power.unit <> 0) and ' ~ long
        ~ ' is not null end, false)'
    ) %}
{% endmacro %}


{% macro double_text(text) %}
    {#
        A number's text in JSON as DuckDB writes the double: the same digits, but in scientific
        notation, with an exponent of two digits, below 1e-4 and from 1e16 on.
    #}
    {% set mantissa = "regexp_replace(" ~ text ~ ", r'[-.]|[eE].*', '')" %}
    {% set digits = "regexp_replace(" ~ mantissa ~ ", r'^0+|0+\\z', '')" %}
    {% set whole = "regexp_extract(" ~ text ~ ", r'^-?([0-9]+)', 1)" %}
    {% set fraction = "regexp_extract(" ~ text ~ ", r'[.]([0-9]+)', 1)" %}
    {% set power = "coalesce(try_cast(regexp_extract(" ~ text ~ ", r'[eE](.*)', 1) as int), 0)" %}
    {% set exponent = "(" ~ power ~ " + case when " ~ whole ~ " = '0' then length(ltrim('0', "
        ~ fraction ~ ")) - length(" ~ fraction ~ ") - 1 else length(" ~ whole ~ ") - 1 end)"
    %}
    {% set scientific = "concat(case when startswith(" ~ text ~ ", '-') then '-' else '' end, left("
        ~ digits ~ ", 1), case when length(" ~ digits ~ ") > 1 then concat('.', substr(" ~ digits
        ~ ", 2)) else '' end, 'e', case when " ~ exponent ~ " < 0 then '-' else '+' end, "
        ~ "case when abs(" ~ exponent ~ ") < 10 then '0' else '' end, abs(" ~ exponent ~ "))"
    %}
    {% do return(
        "case when not " ~ text ~ " rlike '[.eE]' or " ~ digits ~ " = '' or abs(try_cast(" ~ text
        ~ " as double)) = double('Infinity') or " ~ exponent ~ " between -4 and 15 then " ~ text
        ~ " else " ~ scientific ~ " end"
    ) %}
{% endmacro %}
